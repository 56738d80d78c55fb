/// Why something cannot be handed on.
public enum ExportError: Error, Hashable, CustomStringConvertible {
    /// A layer that the format has no words for.
    case layerNotKnown(name: String, kind: String)
    /// There is something already that is not written over.
    case exists(path: String)

    /// What is wrong, with the offending value, and what to do.
    public var description: String {
        switch self {
        case .layerNotKnown(let name, let kind): "the layer \(name) (\(kind)) cannot be exported"
        case .exists(let path): "\(path) holds something already and nothing in it is overwritten; name another folder"
        }
    }
}
