import HTTP

/// Work that a `FairScheduler` orders: the sequences of one request, for one model.
protocol ScheduledTask: AnyObject {
    var client: ClientIdentity { get }
    /// The index of the model.
    var model: Int { get }
    /// The number of sequences.
    var count: Int { get }
    /// The estimated time of a sequence, in seconds of one core; more than 0.
    func cost(of sequence: Int) -> Double
    /// Tokens or steps of a sequence.
    func length(of sequence: Int) -> Int
    /// The number of sequences that the scheduler has given out. Only the scheduler changes it.
    var next: Int { get set }
    /// Whether the task has been removed. Only the scheduler changes it.
    var isRemoved: Bool { get set }
}

/// The order in which waiting sequences run: weighted fair queueing by estimated cost, over models and, within a model, over
/// clients.
///
/// The order is that of start-time fair queueing (Goyal, Vin and Cheng, "Start-time Fair Queuing", SIGCOMM 1996). Every flow
/// has a tag in virtual time, which grows by the cost of what the flow is given, divided by its weight. The flow of the least
/// tag is served next. A flow that has been idle does not save up: its tag becomes at least the virtual time, which is the tag
/// of the flow that was served last. No flow is therefore ahead of another by more than the cost of one sequence of each.
///
/// Flows are nested three deep: models; in a model the two classes of clients; in a class the clients. The interactive class
/// holds the clients within their share, which have been given little since they came. They wait for nobody but each other,
/// whatever the number of clients that always have work, as new flows do in FQ-CoDel (RFC 8290, 4.2). Since a client can come
/// under many names, the class gets four fifths of the time while both classes have work, not all of it.
///
/// The scheduler knows no clock and no thread, so that the simulator and the engine run the same code. All operations take a
/// time logarithmic in the number of clients with work.
struct FairScheduler<Task: ScheduledTask> {
    /// The waiting work of a model or of all models.
    struct Load: Equatable {
        var tasks = 0
        var sequences = 0
        var tokens = 0
        /// Seconds of one core.
        var cost = 0.0
    }

    /// The bounds on a batch. The first sequence of a batch is taken whatever it costs.
    struct BatchLimits {
        var sequences: Int
        var tokens: Int
        /// Seconds of one core.
        var cost: Double
    }

    /// The work that a batch may consist of.
    enum Selection: Equatable {
        case all
        /// The work of clients in the interactive class.
        case interactive
        /// Sequences that cost at most so much, in seconds of one core.
        case upTo(cost: Double)
    }

    /// The sequences that run in one forward pass.
    struct Batch {
        let model: Int
        /// Whether the sequences are of clients in the interactive class. No batch mixes the classes.
        var isInteractive = false
        /// The sequences of each task that are in the batch.
        var parts: [(task: Task, range: Range<Int>)] = []
        var load = Load()
    }

    private var models: [ModelFlows<Task>]
    /// The tag of the model that was served last.
    private var virtualTime = 0.0

    private(set) var load = Load()
    private var clientLoads: [ClientIdentity: Load] = [:]

    /// - Parameters:
    ///   - weights: the share of each model in the time of the workers, relative to the others.
    ///   - interactiveSeconds: the time that a client gets in the interactive class once it has been idle, in seconds of one
    ///     core.
    init(weights: [Double], interactiveSeconds: Double = QueueLimits().interactiveSeconds) {
        models = weights.map { ModelFlows(weight: $0, interactiveSeconds: interactiveSeconds) }
    }

    var isEmpty: Bool { load.sequences == 0 }
    /// The number of clients that have waiting work.
    var clients: Int { clientLoads.count }

    func load(of client: ClientIdentity) -> Load { clientLoads[client] ?? Load() }

    /// Adds a task, all of whose sequences wait.
    mutating func add(_ task: Task) {
        if models[task.model].load.sequences == 0 {
            models[task.model].tag = max(models[task.model].tag, virtualTime)
        }
        let added = Load(waitingIn: task)
        models[task.model].add(task, added)
        load.add(added)
        clientLoads[task.client, default: Load()].add(added)
    }

    /// Counts time that a client has taken of a worker outside of batches, such as for tokenizing. What the client has waiting
    /// keeps its place.
    mutating func charge(_ seconds: Double, to client: ClientIdentity, model: Int) {
        models[model].charge(seconds, to: client)
    }

    /// Removes the waiting sequences of a task.
    mutating func remove(_ task: Task) {
        guard !task.isRemoved else { return }
        task.isRemoved = true
        let removed = Load(waitingIn: task)
        guard removed.sequences > 0 else { return }
        models[task.model].remove(task, removed)
        subtract(removed, of: task.client)
    }

    /// Whether a client in the interactive class has waiting work.
    var hasInteractive: Bool { models.contains { $0.hasInteractive } }

    /// Takes the sequences that run next.
    /// - Parameters:
    ///   - selection: the work that may be taken.
    ///   - limits: returns the bounds of a batch of a model with so much waiting work.
    ///   - isUnwanted: whether nobody waits for a task any more. Such tasks are removed.
    /// - Returns: the batch, `nil` if there is no work, and the tasks that were removed.
    mutating func takeBatch(
        _ selection: Selection = .all, limits: (Load) -> BatchLimits, isUnwanted: (Task) -> Bool
    ) -> (batch: Batch?, unwanted: [Task]) {
        var unwanted: [Task] = []
        var candidates = models.indices.filter {
            selection == .interactive ? models[$0].hasInteractive : models[$0].load.sequences > 0
        }
        while let model = candidates.min(by: { models[$0].tag < models[$1].tag }) {
            let batch = takeBatch(
                of: model, selection, limits(models[model].load), isUnwanted: isUnwanted, unwanted: &unwanted)
            if batch.load.sequences > 0 { return (batch, unwanted) }
            candidates.removeAll { $0 == model }
        }
        return (nil, unwanted)
    }

    private mutating func takeBatch(
        of model: Int, _ selection: Selection, _ limits: BatchLimits, isUnwanted: (Task) -> Bool,
        unwanted: inout [Task]
    ) -> Batch {
        var batch = Batch(model: model)
        while let (task, isInteractive) = models[model].peek(selection) {
            if isUnwanted(task) {
                remove(task)
                unwanted.append(task)
                continue
            }
            let sequence = task.next
            let (cost, length) = (task.cost(of: sequence), task.length(of: sequence))
            if batch.load.sequences == 0 {
                batch.isInteractive = isInteractive
                virtualTime = max(virtualTime, models[model].tag)
            } else if isInteractive != batch.isInteractive || batch.load.sequences >= limits.sequences
                || batch.load.tokens + length > limits.tokens || batch.load.cost + cost > limits.cost
            {
                break
            }
            models[model].take(task, isInteractive: isInteractive, cost: cost, length: length)
            models[model].tag += cost / models[model].weight
            let taken = Load(tasks: task.next == task.count ? 1 : 0, sequences: 1, tokens: length, cost: cost)
            subtract(taken, of: task.client)
            batch.load.add(taken)
            if let last = batch.parts.last, last.task === task {
                batch.parts[batch.parts.count - 1].range = last.range.lowerBound..<sequence + 1
            } else {
                batch.parts.append((task, sequence..<sequence + 1))
            }
        }
        return batch
    }

    /// Takes any task and removes it; `nil` if there is none.
    mutating func removeAny() -> Task? {
        for model in models.indices {
            guard let task = models[model].peek(.all)?.task else { continue }
            remove(task)
            return task
        }
        return nil
    }

    private mutating func subtract(_ removed: Load, of client: ClientIdentity) {
        load.subtract(removed)
        guard var waiting = clientLoads[client] else { return }
        waiting.subtract(removed)
        clientLoads[client] = waiting.sequences > 0 ? waiting : nil
    }
}

extension FairScheduler.Load {
    /// The sequences of a task that have not been given out.
    init(waitingIn task: Task) {
        tasks = task.next < task.count ? 1 : 0
        for sequence in task.next..<task.count {
            sequences += 1
            tokens += task.length(of: sequence)
            cost += task.cost(of: sequence)
        }
    }

    mutating func add(_ other: Self) {
        tasks += other.tasks
        sequences += other.sequences
        tokens += other.tokens
        cost += other.cost
    }

    mutating func subtract(_ other: Self) {
        tasks -= other.tasks
        sequences -= other.sequences
        tokens -= other.tokens
        // Costs are added and subtracted in different orders, so rounding errors must not stay when nothing waits.
        cost = sequences == 0 ? 0 : max(0, cost - other.cost)
    }
}
