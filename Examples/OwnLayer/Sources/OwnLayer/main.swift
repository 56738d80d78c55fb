import CABSTraining

// Trains a network with a layer of our own on the digits that come with the package, and checks one exact norm of an example's gradient
// against finite differences.

let data = try DatasetName.digits.load()
let model = try Model(input: data.training.inputShape, seed: 1) {
    Conv2D(filters: 8, kernelSize: 3); ParametricReLU()
    Flatten(); Dense(units: 32); ParametricReLU(); Dense(units: 10)
}
let trainer = try Trainer(
    model: model, data: data, optimizer: SGD(learningRate: 0.1), batchSize: .cabs(bounds: 16...2048))
for try await step in trainer.train(for: .epochs(6)) where step.index % 100 == 0 {
    print("step \(step.index): loss \(step.loss), batch size \(step.batchSize)")
}
print("test accuracy \(try await trainer.evaluate().accuracy)")

let parameters = try await trainer.parameters()
print("slopes \(parameters["parametricReLU1.slope"]!.values)")

let network = try Network(model, workerCount: 1, parameters: parameters)
let example = DatasetBatch(data.training, indices: [3])

let name = "parametricReLU1.slope"
let measured = try network.gradient(of: example).report.parameters.first { $0.name == name }!.secondMoment
var expected = 0.0
for index in parameters[name]!.values.indices {
    // The example's loss with one slope moved either way.
    let losses = try [-0.01, 0.01 as Float].map { shift in
        var elements = parameters.elements
        let place = elements.firstIndex { $0.name == name }!
        elements[place].tensor.values[index] += shift
        try network.load(ParameterSet(elements))
        return try network.outputs(for: example).losses[0]
    }
    let derivative = (losses[1] - losses[0]) / 0.02
    expected += derivative * derivative
}
print("squared norm of one example's gradient by the slopes: \(measured), by finite differences \(expected)")
guard abs(measured - expected) <= 1e-2 * expected + 1e-9 else { fatalError("the norm is wrong") }
