import CABSTraining

/// A layer as lines of PyTorch.
protocol PyTorchLayer: Layer {
    /// What makes the layer's module; nothing where it has none.
    func module(_ placed: Model.PlacedLayer) -> String?
    /// What comes out, as an expression.
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String
}

extension PyTorchLayer {
    func module(_ placed: Model.PlacedLayer) -> String? { nil }
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String { "self.\(placed.name)(\(inputs[0]))" }
}

extension SlidingWindow {
    /// What is padded, as an argument of a module where both ends of a side are the same.
    fileprivate func padding(for input: ExampleShape) -> (argument: String, call: String?) {
        guard case .image(let height, let width, _) = input else { preconditionFailure("a window over a \(input)") }
        let (rows, columns) = (paddedLengths(for: height), paddedLengths(for: width))
        if rows.low == rows.high, columns.low == columns.high {
            return (rows.low == 0 && columns.low == 0 ? "0" : "(\(rows.low), \(columns.low))", nil)
        }
        return ("0", "(\(columns.low), \(columns.high), \(rows.low), \(rows.high))")
    }
}

extension Conv2D: PyTorchLayer {
    func module(_ placed: Model.PlacedLayer) -> String? {
        guard case .image(_, _, let channels) = placed.input else { return nil }
        return "nn.Conv2d(\(channels), \(filters), \(kernelSize), stride=\(stride), "
            + "padding=\(window.padding(for: placed.input).argument), groups=\(groups), bias=\(hasBias ? "True" : "False"))"
    }

    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        let padded = window.padding(for: placed.input).call.map { "F.pad(\(inputs[0]), \($0))" }
        return "self.\(placed.name)(\(padded ?? inputs[0]))"
    }
}

extension MaxPool2D: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        let (argument, call) = window.padding(for: placed.input)
        guard argument == "0" || call != nil else {
            return "F.max_pool2d(\(inputs[0]), \(poolSize), \(stride), \(argument))"
        }
        let x = call.map { "F.pad(\(inputs[0]), \($0), value=-float(\"inf\"))" } ?? inputs[0]
        return "F.max_pool2d(\(x), \(poolSize), \(stride))"
    }
}

extension AveragePool2D: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        let (argument, call) = window.padding(for: placed.input)
        let x = inputs[0]
        guard let call else {
            return "F.avg_pool2d(\(x), \(poolSize), \(stride), \(argument), count_include_pad=False)"
        }
        // Over the part of each window that lies inside the image.
        return "F.avg_pool2d(F.pad(\(x), \(call)), \(poolSize), \(stride)) "
            + "/ F.avg_pool2d(F.pad(torch.ones_like(\(x)), \(call)), \(poolSize), \(stride))"
    }
}

extension GlobalAveragePool2D: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String { "\(inputs[0]).mean((2, 3))" }
}

extension Flatten: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String { "\(inputs[0]).flatten(1)" }
}

extension Dense: PyTorchLayer {
    func module(_ placed: Model.PlacedLayer) -> String? { "nn.Linear(\(placed.input.count), \(units))" }
}

extension Dropout: PyTorchLayer {
    func module(_ placed: Model.PlacedLayer) -> String? { "nn.Dropout(\(rate))" }
}

extension Addition: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String { inputs.joined(separator: " + ") }
}

extension ReLU: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String { "F.relu(\(inputs[0]))" }
}

extension LeakyReLU: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String {
        "F.leaky_relu(\(inputs[0]), \(slope))"
    }
}

extension Tanh: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String { "torch.tanh(\(inputs[0]))" }
}

extension Sigmoid: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String { "torch.sigmoid(\(inputs[0]))" }
}

extension SiLU: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String { "F.silu(\(inputs[0]))" }
}

extension GELU: PyTorchLayer {
    func expression(_ inputs: [String], _ placed: Model.PlacedLayer) -> String { "F.gelu(\(inputs[0]))" }
}

extension LayerNorm: PyTorchLayer {
    func module(_ placed: Model.PlacedLayer) -> String? {
        let shape = parameters(for: placed.input)[0].shape
        return "nn.LayerNorm([\(shape.map(String.init).joined(separator: ", "))], eps=\(epsilon))"
    }
}

extension GroupNorm: PyTorchLayer {
    func module(_ placed: Model.PlacedLayer) -> String? {
        "nn.GroupNorm(\(groups), \(parameters(for: placed.input)[0].shape[0]), eps=\(epsilon))"
    }
}
