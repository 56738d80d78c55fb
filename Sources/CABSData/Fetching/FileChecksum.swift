import CCrypto
import Foundation

/// A file's MD5 checksum: no protection from an attacker, but what the data sets' makers publish.
enum FileChecksum {
    /// Computes the checksum, in hexadecimal digits.
    static func md5(of file: URL) throws(FetchError) -> String {
        guard let context = EVP_MD_CTX_new() else {
            throw .unreadable(path: file.path, reason: "no memory for its checksum")
        }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestInit_ex(context, EVP_md5(), nil) == 1 else {
            throw .unreadable(path: file.path, reason: "this system's OpenSSL does not offer MD5")
        }
        do {
            let handle = try FileHandle(forReadingFrom: file)
            defer { try? handle.close() }
            while let part = try handle.read(upToCount: 1 << 20), !part.isEmpty {
                part.withUnsafeBytes { _ = EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
            }
        } catch {
            throw .unreadable(path: file.path, reason: error.systemReason)
        }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        EVP_DigestFinal_ex(context, &digest, &count)
        return digest[..<Int(count)].map { String(format: "%02x", $0) }.joined()
    }
}
