import CABSExamples
import Foundation

/// Why data cannot be used.
public enum DatasetError: Error, Hashable, CustomStringConvertible {
    /// A data set is in none of the places where it is looked for.
    ///
    /// - Parameters:
    ///   - names: The names of files that are looked for.
    ///   - tried: The places, with what lies there.
    case notFound(name: String, names: [String], tried: [String], advice: String)
    /// A data set lacks a file.
    ///
    /// - Parameter contents: What lies in the folder, in words.
    case missingFile(names: [String], folder: String, contents: String?)
    /// A folder holds several data sets that would do, told apart by how their files' names begin.
    case severalSets(folder: String, prefixes: [String])
    /// A file is known to be another one than the one asked for, of another data set or another part.
    case anotherFile(file: String, asked: String, found: String)
    /// A value is no whole number from 0 to 255.
    case valueOutOfRange(String, position: Int, file: String, type: String)
    /// A file cannot be read.
    case unreadable(file: String, reason: String)
    /// A file ends before its content does.
    case truncated(file: String, expectedBytes: Int, foundBytes: Int)
    /// A file goes on after its content ends.
    case trailingBytes(file: String, expectedBytes: Int)
    /// A file is not in the format that its place demands.
    case wrongFormat(file: String, expected: String, found: String)
    /// Compressed data is damaged.
    case damagedCompression(file: String)
    /// A label names no class.
    case labelOutsideClasses(Int, example: Int, source: String, classCount: Int)
    /// Images and labels differ in number.
    case countsDiffer(images: String, imageCount: Int, labels: String, labelCount: Int)
    /// A data set or a part of it has no examples.
    case noExamples(String)
    /// The training and test parts are of different shapes.
    case splitsDiffer(String, training: String, test: String)
    /// Numbers of values do not fit the shapes.
    case arrayCounts(inputs: Int, inputSize: Int, targets: Int, targetSize: Int)
    /// Preprocessing needs larger images.
    case imageTooSmall(ExampleShape, cropSize: Int)
    /// More examples are to be held back than can be.
    case cannotHoldBack(Int, of: Int)
    /// An example cannot be had; the number is its place in the data set.
    case unusableExample(Int, reason: String)
    /// Smoothing needs classes.
    case smoothingNeedsClasses
    /// A part of a target that cannot be spread.
    case smoothingOutOfRange(Double)
    /// A position in the data set that it does not have.
    case exampleOutOfRange(Int, count: Int)

    /// A picture cannot be used.
    case unusablePicture(file: String, reason: String)
    /// An error, and how many more there are like it.
    case andMore(first: String, count: Int)
    /// Pictures of several sizes, and nothing says which one is meant.
    case sizesDiffer(first: String, ExampleShape, other: String, ExampleShape)
    /// A folder with one part of the pictures lacks the other.
    case missingPictureFolder(folder: String, part: String, other: String)
    /// A folder has pictures, but none for each class.
    case noClassFolders(String)
    /// Folders that may be classes, or parts of data with the same classes.
    case twoMeanings(folder: String, outer: [String], inner: [String])
    /// A part for testing is asked for where folders say which it is.
    case testFractionWithoutEffect(Double, folder: String)
    /// A class of which there are no training pictures.
    case unknownClass(String, folder: String, known: String)
    /// A class of whose pictures all are for testing.
    case noTrainingPictures(class: String, folder: String, testFraction: Double)
    /// A class's folder without pictures.
    case noPictures(folder: String)
    /// A folder without pictures.
    case folderWithoutPictures(String)
    /// A number of classes that nothing can be learned from.
    case classCount(Int, folder: String)
    /// A file's name that is no text.
    case nameNotUTF8(String, folder: String)
    /// Labels that are no classes.
    case labelsNotClasses(source: String, label: Double)
    /// A label of the test examples that no training example has.
    case labelUnknown(label: Double, example: Int, source: String, known: ClosedRange<Int>)
    /// A number among the labels that no example has.
    case labelMissing(source: String, label: Int, highest: Int)
    /// Resizing and random changes need images of bytes.
    case needsImagesOfBytes(String, found: String)
    /// A value is infinite, or no number.
    case notFinite(String)
    /// Values are beyond those that bytes have.
    case notInUnitRange(file: String, low: Float, high: Float)
    /// Data of another shape than a network's own.
    case notTheNetworksShape(ExampleShape, network: ExampleShape)
    /// Numbers of another range than those that a network was trained on.
    case notTheNetworksRange(source: String, low: Double, high: Double, network: Double)
    /// Values to be predicted for a network of classes, or the other way round.
    case notTheNetworksTargets(source: String, networkPredictsValues: Bool)
    /// Another normalisation than a network's own.
    case notTheNetworksNormalization(asked: NormalizationName, network: NormalizationName)
    /// A class that a network does not know.
    case notTheNetworksClass(String, source: String, known: [String])
    /// Two folders whose names are the same text, written in different bytes.
    case sameName(String, folder: String)
    /// Nothing is left to test with.
    case noTestPictures(folder: String, testFraction: Double)
    /// Pictures cannot be brought to so many channels.
    case needsOtherChannels(ExampleShape)
    /// A network that was trained on numbers of no certain range is given a picture.
    case needsAnotherRange(ExampleShape)
    /// A network that takes vectors is given a picture.
    case needsVectors(ExampleShape)
    /// Nothing says what lies at a place, and it is nothing that is known.
    case kindNotKnown(place: String, found: String)
    /// Nothing says which of several data sets is meant.
    case severalKinds(place: String, names: [String])
    /// Own data that nothing says the place of.
    case placeMissing(dataset: String, what: String)

    /// Some names, and how many more there are.
    private static func list(_ names: [String], most: Int = 4) -> String {
        names.prefix(most).joined(separator: ", ") + (names.count > most ? " and \(names.count - most) more" : "")
    }

    /// What is wrong, with the offending value, and what to do.
    public var description: String {
        switch self {
        case .notFound(let name, let names, let tried, let advice):
            "the data set \(name) is not here; looked for \(names.joined(separator: ", ")) in "
                + "\(tried.joined(separator: ", ")); \(advice)"
        case .missingFile(let names, let folder, let contents):
            "\(folder) has no \(names[0]), nor any under another of its names; \(contents ?? "it is not there")"
        case .severalSets(let folder, let prefixes):
            "\(folder) holds several sets of files (\(prefixes.map { "\($0)*" }.joined(separator: ", "))); "
                + "move the one to be read into a folder of its own"
        case .anotherFile(let file, let asked, let found):
            "\(file) holds the \(found), not the \(asked); ask for what it is, or name another folder"
        case .valueOutOfRange(let value, let position, let file, let type):
            "\(file) holds \(type), of which number \(position) is \(value); only whole numbers from 0 to 255 are read"
        case .unreadable(let file, let reason):
            "cannot read \(file): \(reason)"
        case .truncated(let file, let expected, let found):
            "\(file) is cut short: \(found) bytes where \(expected) are announced; get the file again"
        case .trailingBytes(let file, let expected):
            "\(file) goes on after the \(expected) bytes that it announces; get the file again"
        case .wrongFormat(let file, let expected, let found):
            "\(file) is not \(expected): \(found)"
        case .damagedCompression(let file):
            "\(file) is damaged or cut short: its compressed data does not decode; get the file again"
        case .labelOutsideClasses(let label, let example, let source, let classCount):
            "example \(example) of \(source) has the label \(label), outside 0 to \(classCount - 1)"
        case .countsDiffer(let images, let imageCount, let labels, let labelCount):
            "\(images) has \(imageCount) examples but \(labels) has \(labelCount); they belong to different sets"
        case .noExamples(let name):
            "\(name) has no examples"
        case .splitsDiffer(let name, let training, let test):
            "the training part of \(name) (\(training)) does not match its test part (\(test))"
        case .arrayCounts(let inputs, let inputSize, let targets, let targetSize):
            "\(inputs) input values of \(inputSize) per example do not fit \(targets) target values of "
                + "\(targetSize) per example"
        case .imageTooSmall(let shape, let cropSize):
            "\(shape.withArticle) is too small to be cropped to \(cropSize)x\(cropSize); bring images to a larger size, or take "
                + "another augmentation"
        case .cannotHoldBack(let count, let all):
            "\(count) of \(all) training examples cannot be held back; give 1 or more, and leave some to train on"
        case .smoothingOutOfRange(let smoothing):
            "labels cannot be smoothed by \(smoothing); give a number from 0 up to, not including, 1"
        case .unusableExample(let index, let reason):
            "example \(index) of the data set cannot be used: \(reason)"
        case .smoothingNeedsClasses:
            "only the labels of classes can be smoothed, and the targets are values; leave label smoothing out"
        case .unusablePicture(let file, let reason):
            "the picture \(file) cannot be used: \(reason); replace it or take it out"
        case .andMore(let first, let count):
            "\(first) (and \(count) more like it)"
        case .sizesDiffer(let first, let shape, let other, let otherShape):
            "\(first) is an \(shape), but \(other) an \(otherShape); give --image-size, such as 32x32, to bring all to one size"
        case .missingPictureFolder(let folder, let part, let other):
            "\(folder) has the folder \(part) but no folder \(other) beside it; add it, or name the folder that holds the classes themselves"
        case .noClassFolders(let folder):
            "\(folder) holds images but no folder for each class; sort them into one folder per class, or classify them with cabs predict"
        case .twoMeanings(let folder, let outer, let inner):
            "\(folder) can be read in two ways: its folders \(Self.list(outer)) are classes, or they are parts of the data with the classes "
                + "\(Self.list(inner)); name parts train and test, or put the images of a class directly into its folder"
        case .testFractionWithoutEffect(let fraction, let folder):
            "--test-fraction \(fraction.shortest) has no effect: \(folder) has folders for training and testing; leave it out"
        case .unknownClass(let name, let folder, let known):
            "\(folder) has the class \(name), of which \(known) has no pictures; add some, or take it out"
        case .noTrainingPictures(let name, let folder, let fraction):
            "of the class \(name) in \(folder) nothing is left to train on when a part of \(fraction) is for testing; add pictures, or "
                + "give a smaller --test-fraction"
        case .noPictures(let folder):
            "\(folder) is a class without pictures (PNG or JPEG); add some, or take it out"
        case .folderWithoutPictures(let folder):
            "\(folder) has no pictures (PNG or JPEG); name another folder, or files"
        case .classCount(let count, let folder):
            "\(folder) has \(count) class\(count == 1 ? "" : "es"); training needs 2 to 65536"
        case .nameNotUTF8(let name, let folder):
            "\(folder) holds a file whose name is not UTF-8 (\(name)); rename it"
        case .labelsNotClasses(let source, let label):
            "\(source) has the label \(label.formatted(.number.grouping(.never))); classes are whole numbers from 0, or from 1, up to 65535"
        case .labelUnknown(let label, let example, let source, let known):
            "example \(example) of \(source) has the label \(label.formatted(.number.grouping(.never))); training examples have \(known.lowerBound) to "
                + "\(known.upperBound)"
        case .labelMissing(let source, let label, let highest):
            "the labels of \(source) go up to \(highest), but no training example has the label \(label); number the classes without gaps"
        case .needsImagesOfBytes(let source, let found):
            "\(source) holds \(found): only images of whole numbers from 0 to 255 with classes are resized and changed at random; leave out "
                + "--image-size and --augment"
        case .notFinite(let source):
            "\(source) hold a value that is infinite or not a number"
        case .notInUnitRange(let file, let low, let high):
            "the inputs of \(file) reach from \(low) to \(high), not from 0 to 255; give --normalize channel or image"
        case .notTheNetworksShape(let shape, let network):
            "the examples are \(shape.withArticle), and the network was trained on \(network.withArticle); bring images to that with --image-size "
                + "and --channels"
        case .notTheNetworksNormalization(let asked, let network):
            "the network was trained on values normalised by \(network.rawValue), not by \(asked.rawValue); leave out --normalize"
        case .notTheNetworksRange(let source, let low, let high, let network):
            "the values of \(source) go from \(low.shortest) to \(high.shortest), but the network was trained on values from 0 to \(network.shortest); "
                + "bring them to the same range"
        case .notTheNetworksTargets(let source, let networkPredictsValues):
            networkPredictsValues
                ? "the targets of \(source) are classes, but the network predicts values; save them as floating-point numbers"
                : "the targets of \(source) are values, but the network tells classes; save them as whole numbers"
        case .notTheNetworksClass(let name, let folder, let known):
            "\(folder) has the class \(name), which the network does not know; it knows \(Self.list(known, most: 12))"
        case .sameName(let name, let folder):
            "\(folder) holds the class \(name) twice, in two ways to write the same letters in bytes; rename one"
        case .noTestPictures(let folder, let fraction):
            "of the pictures in \(folder) none is for testing when a part of \(fraction) is; add pictures, give a larger --test-fraction, or "
                + "folders train and test"
        case .needsOtherChannels(let shape):
            "the network takes \(shape.withArticle), and images have one channel or three; give a .npz file"
        case .needsAnotherRange(let shape):
            "the network takes \(shape.withArticle) whose numbers are of no range that an image's could be brought to; give a .npz file"
        case .needsVectors(let shape):
            "the network takes no pictures but \(shape.withArticle); give a .npz file"
        case .kindNotKnown(let place, let found):
            "cannot tell what data \(place) holds: \(found); name a folder with one folder of images for each class, a .npz file, or a data set "
                + "with --dataset"
        case .severalKinds(let place, let names):
            "\(place) may hold \(names.joined(separator: ", ")); say which with --dataset"
        case .placeMissing(let dataset, let what):
            "--dataset \(dataset) needs --data with \(what)"
        case .exampleOutOfRange(let index, let count):
            "there is no example \(index); the data set has \(count), counted from 0"
        }
    }
}
