/// A handle of a C library's object, which is let go of with this: also where what is made of several fails half-way.
package final class OwnedHandle<Handle>: @unchecked Sendable {
    // Never changed after init, and oneDNN's objects may be used from any thread, by one at a time or, as their owners say, by several:
    // the proof of Sendable.
    package let handle: Handle
    private let release: (Handle) -> Void

    package init(_ handle: Handle, release: @escaping (Handle) -> Void) {
        self.handle = handle
        self.release = release
    }

    deinit { release(handle) }
}
