import CABSTerminal

/// Prints what there is to say of data, options and evaluations, each notice once however often it comes.
struct NoticeDisplay {
    private var shown: Set<String> = []

    mutating func show(_ notice: String) {
        if shown.insert(notice).inserted { printWarning(notice) }
    }
}
