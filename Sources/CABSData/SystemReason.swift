import Foundation

extension Error {
    /// Why a file or folder could not be read or written, in the system's words where it gave some: of many causes Foundation's own text says
    /// a number alone.
    package var systemReason: String {
        guard let cause = (self as NSError).userInfo[NSUnderlyingErrorKey] as? POSIXError else {
            return localizedDescription
        }
        return String(cString: strerror(cause.code.rawValue))
    }
}
