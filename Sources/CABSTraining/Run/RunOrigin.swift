import CABSData
import Foundation

/// What a run was made of, beside its options: `origin.json` in its folder, which is there from the beginning and outlasts all checkpoints.
struct RunOrigin: Codable, Equatable {
    /// The data.
    let data: DataFingerprint
    /// Where its first parameters came from; nothing in runs of versions that did not note it.
    let initialParameters: InitialParameters?

    /// What a run is made of that begins with some data and options.
    ///
    /// - Throws: ``TrainingError`` where the file of initial parameters cannot be read, and why an example cannot be had.
    init(_ data: TrainingData, _ options: TrainingOptions) throws {
        self.init(data: try DataFingerprint(data), initialParameters: try InitialParameters(options))
    }

    init(data: DataFingerprint, initialParameters: InitialParameters?) {
        (self.data, self.initialParameters) = (data, initialParameters)
    }

    /// Where a run's first parameters came from.
    enum InitialParameters: Codable, Equatable, CustomStringConvertible {
        /// The model's own, which follow from the seed.
        case seed
        /// A file with this checksum of its tensors.
        case file(checksum: String)

        /// Reads the file where options name one.
        ///
        /// - Throws: ``TrainingError`` where it cannot be read.
        init(_ options: TrainingOptions) throws(TrainingError) {
            guard let path = options.initialParameters else {
                self = .seed
                return
            }
            self = .file(checksum: Safetensors.checksum(try Safetensors.read(URL(filePath: path))))
        }

        init(from decoder: any Decoder) throws {
            let text = try decoder.singleValueContainer().decode(String.self)
            self = text == "seed" ? .seed : .file(checksum: text)
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .seed: try container.encode("seed")
            case .file(let checksum): try container.encode(checksum)
            }
        }

        var description: String {
            switch self {
            case .seed: "those of the seed"
            case .file(let checksum): "of checksum \(checksum)"
            }
        }
    }
}
