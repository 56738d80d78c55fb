/// What workers do with each chunk of examples, step by step, and where they wait for each other.
///
/// Operations say what they read and write, and by what parts; the barriers follow from that. A worker waits before a step that touches
/// what another has written since the last barrier, or writes what another has read.
struct BatchSchedule: Sendable {
    /// What is done.
    enum Action: Sendable {
        /// The example stage runs forward and hands its results over.
        case takeInputs
        case forward(any BatchOperation)
        case loss
        case backward(any BatchOperation)
        /// The example stage takes the gradients of what it handed over and runs backward.
        case giveGradients

        /// The phase that the time counts to.
        var phase: StepPhase {
            switch self {
            case .takeInputs: .examplesForward
            case .forward, .loss: .batchForward
            case .backward: .batchBackward
            case .giveGradients: .examplesBackward
            }
        }
    }

    struct Step: Sendable {
        let action: Action
        let accesses: [MatrixAccess]
        /// Whether workers wait for each other first.
        var waits = false
    }

    var steps: [Step]

    /// - Parameters:
    ///   - isTraining: Whether there is a backward pass.
    ///   - givesGradients: Whether the example stage has one.
    init(_ stage: BatchStage, isTraining: Bool, givesGradients: Bool, workerCount: Int) {
        func step(_ action: Action, _ accesses: [MatrixAccess]) -> Step { Step(action: action, accesses: accesses) }
        steps = [step(.takeInputs, stage.inputs.map { $0.writesValues(by: .rows) })]
        steps += stage.operations.map { step(.forward($0), $0.forwardAccesses) }
        steps.append(step(.loss, [stage.output.readsValues(by: .rows), stage.output.writesGradients(by: .rows)]))
        if isTraining {
            steps += stage.operations.reversed().map { step(.backward($0), $0.backwardAccesses) }
            if givesGradients {
                steps.append(step(.giveGradients, stage.inputs.map { $0.readsGradients(by: .rows) }))
            }
        }
        setBarriers(workerCount: workerCount)
        assert(isSafe(workerCount: workerCount, rowCount: stage.output.rowCapacity))
        assert(isSafe(workerCount: workerCount, rowCount: 1))
    }

    /// Sets the fewest barriers that a walk through the steps finds; chunk follows upon chunk, so it goes round until none is added.
    private mutating func setBarriers(workerCount: Int) {
        var since: [MatrixAccess] = []
        var isChanging = true
        while isChanging {
            isChanging = false
            for index in steps.indices {
                let conflicts = steps[index].accesses.contains { access in
                    since.contains { $0.conflicts(with: access, workerCount: workerCount) }
                }
                if conflicts, !steps[index].waits { (steps[index].waits, isChanging) = (true, true) }
                if steps[index].waits { since = [] }
                since += steps[index].accesses
            }
        }
    }

    /// Whether between any two barriers no worker writes where another reads or writes: place by place, for so many rows.
    func isSafe(workerCount: Int, rowCount: Int) -> Bool {
        let workers = (0..<workerCount).map { Worker(index: $0, count: workerCount, barrier: Barrier(count: 1)) }
        func meet(_ a: MatrixAccess, _ b: MatrixAccess) -> Bool {
            guard a.buffer === b.buffer, a.writes || b.writes else { return false }
            func tiles(_ access: MatrixAccess) -> [MatrixTile] {
                workers.map { access.partition.tile(of: $0, rowCount: rowCount, columnCount: access.columnCount) }
            }
            let (tilesOfA, tilesOfB) = (tiles(a), tiles(b))
            return workers.indices.contains { i in
                workers.indices.contains { i != $0 && tilesOfA[i].overlaps(tilesOfB[$0]) }
            }
        }
        var since: [MatrixAccess] = []
        for step in steps + steps {
            if step.waits { since = [] }
            since += step.accesses
            guard !step.accesses.contains(where: { access in since.contains { meet($0, access) } }) else {
                return false
            }
        }
        return true
    }
}
