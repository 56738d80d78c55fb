import Foundation

extension Error {
    /// Why a file or folder could not be read or written, in the system's words where it gave some: of many causes Foundation's own text says
    /// a number alone.
    package var systemReason: String {
        guard let cause = (self as NSError).userInfo[NSUnderlyingErrorKey] as? any Error else {
            return localizedDescription
        }
        let system = cause as NSError
        return system.domain == NSPOSIXErrorDomain
            ? String(cString: strerror(Int32(system.code))) : localizedDescription
    }
}
