import CDNN
import CVectorMath
import Foundation

/// The instructions that the engine computes with.
///
/// oneDNN decides: it takes the largest set that the processor has and the environment variable `DNNL_MAX_CPU_ISA` (`SSE41`,
/// `AVX2`, `AVX512_CORE`, …) allows, and our own loops follow it. So the variable limits both.
public enum InstructionSet: String, Sendable, Hashable, CaseIterable {
    /// SSE4.1, or that of a processor other than x86.
    case sse41
    /// AVX, which has longer registers for floats.
    case avx
    /// AVX2 with fused multiplication and addition.
    case avx2
    /// AVX-512 with its extensions for doublewords, quadwords, bytes and short vectors.
    case avx512

    /// The set in use.
    public static var effective: InstructionSet {
        let found = dnnl_get_effective_cpu_isa().rawValue
        func includes(_ set: dnnl_cpu_isa_t) -> Bool { found & set.rawValue == set.rawValue }
        if includes(dnnl_cpu_isa_avx512_core) { return .avx512 }
        if includes(dnnl_cpu_isa_avx2) { return .avx2 }
        return includes(dnnl_cpu_isa_avx) ? .avx : .sse41
    }

    /// The set that will be in use, as far as it can be told without asking oneDNN, which takes no limit any more once it was asked.
    package static func available(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> InstructionSet {
        let found: InstructionSet =
            switch cvm_largest() {
            case cvm_avx512: .avx512
            case cvm_avx2: .avx2
            default: .sse41
            }
        let limit: InstructionSet =
            switch environment["DNNL_MAX_CPU_ISA"]?.uppercased() ?? "" {
            case "SSE41": .sse41
            case "AVX": .avx
            case let name where name.hasPrefix("AVX2"): .avx2
            default: .avx512
            }
        return allCases.first { $0 == found || $0 == limit }!
    }

    /// Has the engine use this set and no larger one, before it is first used.
    ///
    /// - Returns: Whether it does.
    package func limitEngine() -> Bool {
        let limit =
            switch self {
            case .sse41: dnnl_cpu_isa_sse41
            case .avx: dnnl_cpu_isa_avx
            case .avx2: dnnl_cpu_isa_avx2
            case .avx512: dnnl_cpu_isa_avx512_core
            }
        dnnl_set_max_cpu_isa(limit)
        return Self.effective == self
    }

    /// Makes our own loops use this set and no larger one.
    package func limitVectorMath() {
        switch self {
        case .sse41, .avx: cvm_use(cvm_baseline)
        case .avx2: cvm_use(cvm_avx2)
        case .avx512: cvm_use(cvm_avx512)
        }
    }
}
