/// Which of a network's classes each class of some data is, by their names: data may have fewer classes than the network knows, or
/// have them in another order, but none that it does not know.
struct ClassMatching {
    /// What the classes of the data are called, by their numbers in the data.
    let names: [String]
    /// What the network's classes are called, by their numbers in the network.
    let known: [String]

    /// - Parameters:
    ///   - names: What the classes of the data are called.
    ///   - input: What the network must be given. One that does not name its classes, as earlier versions wrote it, has numbers for names.
    init(_ names: [String], to input: InputDescription) {
        self.names = names
        if let known = input.classNames {
            self.known = known
        } else {
            // Labels from 1 on had been counted from 0 without a word; with as many classes only their order can be meant.
            self.known = names.count == input.targetCount ? names : (0..<input.targetCount).map(String.init)
        }
    }

    /// The network's number for the class of each label.
    ///
    /// - Parameter source: Where the labels come from, for errors.
    /// - Throws: ``DatasetError/notTheNetworksClass(_:source:known:)`` for a class that occurs and that the network does not know.
    func numbers(of labels: [UInt16], source: String) throws(DatasetError) -> [UInt16] {
        let places = Dictionary(known.enumerated().map { ($1, UInt16($0)) }) { first, _ in first }
        let numbers = names.map { places[$0] }
        if let label = labels.first(where: { numbers[Int($0)] == nil }) {
            throw .notTheNetworksClass(names[Int(label)], source: source, known: known)
        }
        return labels.map { numbers[Int($0)]! }
    }
}
