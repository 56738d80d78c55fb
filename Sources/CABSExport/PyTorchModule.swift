import CABSExamples
import CABSTraining

/// A network as a file of Python that needs PyTorch and nothing else.
struct PyTorchModule {
    let text: String

    /// - Throws: ``ExportError/layerNotKnown(name:kind:)``.
    init(_ model: Model, _ input: InputDescription, loss: Loss) throws(ExportError) {
        var modules: [String] = []
        var steps: [String] = []
        var tensors = ["x"]
        for placed in model.layers {
            guard let layer = placed.layer as? any PyTorchLayer else {
                throw .layerNotKnown(name: placed.name, kind: type(of: placed.layer).kind)
            }
            if let module = layer.module(placed) { modules.append("self.\(placed.name) = \(module)") }
            // Several layers may read what a block is given, so that each value keeps a name of its own.
            tensors.append(placed.name)
            steps.append("\(placed.name) = \(layer.expression(placed.inputs.map { tensors[$0] }, placed))")
        }
        func lines(_ lines: [String], _ indent: Int) -> String {
            lines.map { String(repeating: " ", count: indent) + $0 }.joined(separator: "\n")
        }
        text = """
            \"\"\"The network in plain PyTorch, and how to load it:

                from model import load
                network = load()            # of this folder
                scores = network.scores(images)

            `images` are \(input.inputText): nothing is left to be normalised.
            \"\"\"
            import pathlib

            import torch
            from safetensors.torch import load_file
            from torch import nn
            from torch.nn import functional as F


            class Network(nn.Module):
                def __init__(self):
                    super().__init__()
            \(lines(modules, 8))

                def normalize(self, x):
            \(lines(input.normalizationLines, 8))

                def forward(self, images):
                    x = self.normalize(images)
            \(lines(steps, 8))
                    return \(tensors[model.layers[model.layers.count - 1].tensor])

                @torch.no_grad()
                def scores(self, images):
                    \"\"\"\(loss.scoreFunction.text)\"\"\"
                    return \(loss.scoreFunction.expression("self(images)"))


            def load(folder=pathlib.Path(__file__).parent):
                \"\"\"The network with its parameters, ready to be used.\"\"\"
                network = Network()
                network.load_state_dict(load_file(str(pathlib.Path(folder) / "model.safetensors")), strict=True)
                return network.eval()

            """
    }
}

extension ScoreFunction {
    fileprivate var text: String {
        switch self {
        case .softmax, .logistic: "The probability of each class."
        case .identity: "The values that are predicted."
        }
    }

    fileprivate func expression(_ outputs: String) -> String {
        switch self {
        case .softmax: "F.softmax(\(outputs), dim=1)"
        case .logistic: "torch.sigmoid(\(outputs))"
        case .identity: outputs
        }
    }
}

extension InputDescription {
    /// What goes in, in words.
    var inputText: String {
        switch shape {
        case .vector(let count): "[batch, \(count)] of floats"
        case .image(let height, let width, let channels):
            "[batch, \(channels), \(height), \(width)] (channels first) of \(numbersText)"
        }
    }

    private var numbersText: String {
        let range = highestValue.map { "from 0 to \($0.shortest)" }
        return hasBytes ? "bytes \(range ?? "from 0 to 255")" : "floats" + (range.map { " \($0)" } ?? "")
    }

    fileprivate var normalizationLines: [String] {
        var lines = ["x = x.float()"]
        if hasBytes, let highestValue, highestValue != 255 {
            lines.append("x = (x * \(255 / highestValue)).round()")
        }
        if let cropSize, case .image(let height, let width, _) = shape {
            let (top, left) = ((height - cropSize) / 2, (width - cropSize) / 2)
            lines.append("x = x[:, :, \(top):\(top + cropSize), \(left):\(left + cropSize)]")
        }
        let (axes, view) = if case .image = shape { ("(1, 2, 3)", ", -1, 1, 1") } else { ("1", ", -1") }
        switch normalization {
        case .unit(let maximum): lines.append("return x / \(maximum)")
        case .channel(let means, let deviations):
            lines += [
                "means = torch.tensor(\(means), device=x.device).view(1\(view))",
                "deviations = torch.tensor(\(deviations), device=x.device).view(1\(view))",
                "return (x - means) / deviations",
            ]
        case .image:
            lines += [
                "x = x - x.mean(\(axes), keepdim=True)",
                "deviation = x.square().mean(\(axes), keepdim=True).sqrt()",
                "return x / deviation.clamp(min=\(networkShape.count) ** -0.5)",
            ]
        }
        return lines
    }
}
