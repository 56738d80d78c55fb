import ArgumentParser

/// `cabs data`.
struct DataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "List or fetch data sets.",
        subcommands: [DataListCommand.self, DataFetchCommand.self],
        defaultSubcommand: DataListCommand.self)
}
