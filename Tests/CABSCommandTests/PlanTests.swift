import Foundation
import Testing

/// `cabs bench --plan`.
@Suite(.timeLimit(.minutes(10))) struct PlanTests {
    struct Plan: Decodable {
        struct Computation: Decodable {
            let layer: String
            let computation: String
            let way: String
            let implementations: [String]
        }
        let model: String
        let instruction_set: String
        let plan: [Computation]
    }

    static func plans(_ options: [String], instructionSet: String) throws -> [Plan] {
        let result = try CommandTests.run(
            ["bench", "--plan", "--json"] + options, environment: ["DNNL_MAX_CPU_ISA": instructionSet])
        #expect(result.code == 0, "\(result.errors)")
        return try result.output.split(separator: "\n").map {
            try JSONDecoder().decode(Plan.self, from: Data($0.utf8))
        }
    }

    static let names =
        "cifar10-2conv-3dense,mnist-2conv-2dense,cifar10-8conv-2dense,cifar100-4conv-2dense,svhn-3conv-2dense,mlp"

    /// The classic network, and one whose filters fill no block.
    static func lenet(filters: Int) -> String {
        """
        layers:
          - conv2d: {filters: \(filters), kernel-size: 5}
          - tanh
          - average-pool2d: {pool-size: 2}
          - conv2d: {filters: 16, kernel-size: 5, padding: valid}
          - tanh
          - average-pool2d: {pool-size: 2}
          - flatten
          - dense: {units: 10}
        """
    }

    @Test(arguments: ["SSE41", "AVX2", "ALL"])
    func `no model is left to a reference implementation`(instructionSet: String) throws {
        try CommandTests.withFolder { folder in
            var files: [String] = []
            for filters in [6, 33] {
                let file = folder.appending(path: "lenet\(filters).yaml")
                try Data(Self.lenet(filters: filters).utf8).write(to: file)
                files.append(file.path)
            }
            let plans =
                try Self.plans(["--models", Self.names], instructionSet: instructionSet)
                + Self.plans(
                    ["--models", files.joined(separator: ","), "--input", "28x28x1"], instructionSet: instructionSet)
            #expect(plans.map(\.model) == Self.names.split(separator: ",").map(String.init) + ["lenet6", "lenet33"])
            for plan in plans {
                #expect(plan.plan.contains { $0.layer == "dense1" && $0.computation == "weight gradient" })
                for computation in plan.plan {
                    #expect(
                        !computation.implementations.contains { $0.contains("ref") }, "\(plan.model): \(computation)")
                }
            }
        }
    }

    @Test func `one switch limits the instructions`() throws {
        let plans = try Self.plans(["--models", "mnist-2conv-2dense"], instructionSet: "SSE41")
        #expect(plans[0].instruction_set == "sse41")
        #expect(!plans[0].plan.contains { $0.implementations.contains { $0.contains("avx") } })
    }

    @Test func `a plan for people names layers, ways and implementations`() throws {
        let result = try CommandTests.run(["bench", "--plan", "--models", "mnist-2conv-2dense"])
        let lines = result.output.split(separator: "\n")
        #expect(lines[0].contains("image of 28x28x1"))
        #expect(lines.contains { $0.contains("conv2") && $0.contains("weight gradient") && $0.contains("sparse") })
        #expect(lines.contains { $0.contains("relu1") && $0.contains("each value by itself") })
    }
}
