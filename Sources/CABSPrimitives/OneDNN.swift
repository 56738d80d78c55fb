import CDNN

/// The library that makes most of a step's computations.
public enum OneDNN {
    /// The version that is loaded, such as `2.6.3`.
    public static var version: String {
        let version = dnnl_version().pointee
        return "\(version.major).\(version.minor).\(version.patch)"
    }
}
