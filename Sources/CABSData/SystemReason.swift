import Foundation

extension Error {
    /// Why a file or folder could not be read or written, in the system's words where it gave some: of many causes Foundation's own text says
    /// a number alone.
    package var systemReason: String {
        let error = self as NSError
        let causes = [error, (error.userInfo[NSUnderlyingErrorKey] as? any Error).map { $0 as NSError }]
        let system = causes.compactMap(\.self).first { $0.domain == NSPOSIXErrorDomain }
        return system.map { String(cString: strerror(Int32($0.code))) } ?? localizedDescription
    }
}
