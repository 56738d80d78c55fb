import Foundation
import Synchronization

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// One HTTP request, whose body goes into a file as it comes.
final class Transfer: NSObject, URLSessionDataDelegate, Sendable {
    /// Called with the bytes that the file has and those that it will have, where the server says.
    typealias Progress = @Sendable (_ receivedBytes: Int, _ expectedBytes: Int?) -> Void

    private struct State: Sendable {
        /// Whether the answer is the file, or its rest.
        var isAccepted = false
        var receivedBytes: Int
        var expectedBytes: Int?
        var failure: FetchError?
        var completion: CheckedContinuation<FetchError?, Never>?
    }

    private let address: URL
    private let file: PartFile
    private let progress: Progress
    private let state: Mutex<State>

    private init(_ address: URL, into file: PartFile, progress: @escaping Progress) {
        self.address = address
        self.file = file
        self.progress = progress
        state = Mutex(State(receivedBytes: file.startCount))
    }

    /// Receives what a file lacks, or all of it where the server does not give parts.
    ///
    /// - Parameter timeout: After how many seconds without a byte the transfer ends.
    static func receive(
        _ address: URL, into part: URL, timeout: Double, progress: @escaping Progress
    ) async throws(FetchError) {
        let file = try PartFile(part)
        defer { file.close() }
        let transfer = Transfer(address, into: file, progress: progress)
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = timeout
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        configuration.urlCache = nil
        var request = URLRequest(url: address, timeoutInterval: timeout)
        // Checksums and positions are those of the file as it is stored.
        request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
        if file.startCount > 0 { request.setValue("bytes=\(file.startCount)-", forHTTPHeaderField: "Range") }
        let session = URLSession(configuration: configuration, delegate: transfer, delegateQueue: nil)
        let task = session.dataTask(with: request)
        let failure = await withCheckedContinuation { completion in
            transfer.state.withLock { $0.completion = completion }
            task.resume()
        }
        session.finishTasksAndInvalidate()
        if let failure { throw failure }
    }

    // MARK: What the session reports

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        let length = response.expectedContentLength
        let isAccepted = state.withLock { state in
            switch status {
            case 200:
                do throws(FetchError) { try file.empty() } catch { state.failure = error }
                state.receivedBytes = 0
                state.isAccepted = state.failure == nil
            case 206:
                state.isAccepted = true
            case 416 where file.startCount > 0:
                // Nothing is left to receive: the run before ended between the last byte and the check.
                break
            default:
                state.failure = .refused(address: address.absoluteString, status: status)
            }
            if state.isAccepted, length >= 0 { state.expectedBytes = state.receivedBytes + Int(length) }
            return state.isAccepted
        }
        if !isAccepted { finish() }
        completionHandler(isAccepted ? .allow : .cancel)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let (counts, failed) = state.withLock { state in
            guard state.isAccepted, state.failure == nil else { return (nil as (Int, Int?)?, false) }
            do throws(FetchError) {
                try file.append(data)
            } catch {
                state.failure = error
                return (nil, true)
            }
            state.receivedBytes += data.count
            return ((state.receivedBytes, state.expectedBytes), false)
        }
        if let counts { progress(counts.0, counts.1) }
        if failed { dataTask.cancel() }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        state.withLock { state in
            guard state.failure == nil else { return }
            if !state.isAccepted {
                let reason = error?.localizedDescription ?? "it gives no answer"
                state.failure = .unreachable(address: address.absoluteString, reason: reason)
            } else if error != nil || state.receivedBytes < state.expectedBytes ?? 0 {
                state.failure = .cut(
                    address: address.absoluteString, receivedBytes: state.receivedBytes,
                    expectedBytes: state.expectedBytes, reason: error?.localizedDescription ?? "the connection closed")
            }
        }
        finish()
    }

    /// Ends the wait, once.
    private func finish() {
        let (completion, failure) = state.withLock { state in
            defer { state.completion = nil }
            return (state.completion, state.failure)
        }
        completion?.resume(returning: failure)
    }
}
