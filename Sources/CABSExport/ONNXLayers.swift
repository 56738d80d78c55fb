import CABSTraining

/// A layer that ONNX has operators for.
protocol ONNXLayer: Layer {
    /// Adds the layer's operators.
    ///
    /// - Parameters:
    ///   - inputs: The names of what goes in.
    ///   - placed: The layer in its place, whose name the output has.
    /// - Returns: The name of what comes out.
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String
}

extension SlidingWindow {
    fileprivate func attributes(for input: ExampleShape) -> [ONNXAttribute] {
        guard case .image(let height, let width, _) = input else { preconditionFailure("a window over a \(input)") }
        let (rows, columns) = (paddedLengths(for: height), paddedLengths(for: width))
        return [
            .ints("kernel_shape", [size, size]), .ints("strides", [stride, stride]),
            .ints("pads", [rows.low, columns.low, rows.high, columns.high]),
        ]
    }
}

extension Conv2D: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        let weight = graph.parameter("\(placed.name).weight")
        let bias = hasBias ? [graph.parameter("\(placed.name).bias")] : []
        return graph.add(
            "Conv", inputs + [weight] + bias, to: placed.name,
            window.attributes(for: placed.input) + [.int("group", groups)])
    }
}

extension MaxPool2D: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        graph.add("MaxPool", inputs, to: placed.name, window.attributes(for: placed.input))
    }
}

extension AveragePool2D: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        graph.add(
            "AveragePool", inputs, to: placed.name,
            window.attributes(for: placed.input) + [.int("count_include_pad", 0)])
    }
}

extension GlobalAveragePool2D: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        let axes = graph.constant([2, 3])
        return graph.add("ReduceMean", inputs + [axes], to: placed.name, [.int("keepdims", 0)])
    }
}

extension Flatten: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        graph.add("Flatten", inputs, to: placed.name, [.int("axis", 1)])
    }
}

extension Dense: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        let parameters = [graph.parameter("\(placed.name).weight"), graph.parameter("\(placed.name).bias")]
        return graph.add("Gemm", inputs + parameters, to: placed.name, [.int("transB", 1)])
    }
}

extension Dropout: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        graph.add("Identity", inputs, to: placed.name)
    }
}

extension Addition: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        graph.add("Add", inputs, to: placed.name)
    }
}

extension ReLU: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        graph.add("Relu", inputs, to: placed.name)
    }
}

extension LeakyReLU: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        graph.add("LeakyRelu", inputs, to: placed.name, [.float("alpha", slope)])
    }
}

extension Tanh: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        graph.add("Tanh", inputs, to: placed.name)
    }
}

extension Sigmoid: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        graph.add("Sigmoid", inputs, to: placed.name)
    }
}

extension SiLU: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        let sigmoid = graph.add("Sigmoid", inputs, to: "\(placed.name).sigmoid")
        return graph.add("Mul", [inputs[0], sigmoid], to: placed.name)
    }
}

extension GELU: ONNXLayer {
    // x Φ(x) with Φ(x) = (1 + erf(x / √2)) / 2: the operator Gelu is younger than the version written here.
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        let (root, one, half) = (
            graph.constant([Float(2).squareRoot()], shape: []), graph.constant([1], shape: []),
            graph.constant([0.5], shape: [])
        )
        let scaled = graph.add("Div", [inputs[0], root], to: "\(placed.name).scaled")
        let erf = graph.add("Erf", [scaled], to: "\(placed.name).erf")
        let sum = graph.add("Add", [erf, one], to: "\(placed.name).sum")
        let product = graph.add("Mul", [inputs[0], sum], to: "\(placed.name).product")
        return graph.add("Mul", [product, half], to: placed.name)
    }
}

extension LayerNorm: ONNXLayer {
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        let parameters = [graph.parameter("\(placed.name).weight"), graph.parameter("\(placed.name).bias")]
        return graph.add(
            "LayerNormalization", inputs + parameters, to: placed.name,
            [.int("axis", 1), .float("epsilon", epsilon)])
    }
}

extension GroupNorm: ONNXLayer {
    // Each group as one row, as the operator GroupNormalization has a scale for each channel only in younger versions.
    func add(to graph: inout ONNXGraph, _ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        guard case .image(let height, let width, let channels) = placed.input else {
            preconditionFailure("group normalisation of a \(placed.input)")
        }
        let name = placed.name
        let (rows, axis, image) = (
            graph.constant([0, groups, -1]), graph.constant([2]), graph.constant([0, channels, height, width])
        )
        let epsilon = graph.constant([epsilon], shape: [])
        let x = graph.add("Reshape", [inputs[0], rows], to: "\(name).rows")
        let mean = graph.add("ReduceMean", [x, axis], to: "\(name).mean")
        let distance = graph.add("Sub", [x, mean], to: "\(name).distance")
        let square = graph.add("Mul", [distance, distance], to: "\(name).square")
        let variance = graph.add("ReduceMean", [square, axis], to: "\(name).variance")
        let raised = graph.add("Add", [variance, epsilon], to: "\(name).raised")
        let deviation = graph.add("Sqrt", [raised], to: "\(name).deviation")
        let normalized = graph.add("Div", [distance, deviation], to: "\(name).normalized")
        let whole = graph.add("Reshape", [normalized, image], to: "\(name).whole")
        let scaled = graph.add(
            "Mul", [whole, graph.parameter("\(name).weight", shape: [channels, 1, 1])], to: "\(name).scaled")
        return graph.add("Add", [scaled, graph.parameter("\(name).bias", shape: [channels, 1, 1])], to: name)
    }
}
