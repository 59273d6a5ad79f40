import Concurrency
import HTTP

/// The waiting work of one client for one model.
private final class ClientFlow<Task: ScheduledTask> {
    var tasks = FIFO<Task>()
    /// The virtual time at which the flow's next sequence is due.
    var tag: Double
    /// The time that the flow may still take in the interactive class, in seconds of one core.
    var credit = 0.0
    /// Whether the flow belongs to the interactive class.
    var isWithinShare = false
    /// Whether the flow is in a class.
    var isWaiting = false

    init(tag: Double) { self.tag = tag }
}

/// The waiting work of one model, by client, in the order that `FairScheduler` describes.
struct ModelFlows<Task: ScheduledTask> {
    typealias Load = FairScheduler<Task>.Load

    /// The weight of the interactive class; that of the other is 1.
    private static var interactiveWeight: Double { 4 }

    /// The share of this model in the time of the workers.
    let weight: Double
    /// The time that a client gets in the interactive class once it has been idle, in seconds of one core.
    let interactiveSeconds: Double
    /// The virtual time at which this model's next batch is due, among all models.
    var tag = 0.0
    private(set) var load = Load()

    private var flows: [ClientIdentity: ClientFlow<Task>] = [:]
    private var interactive = FIFO<ClientFlow<Task>>()
    private var bulk = PriorityQueue<Double, ClientFlow<Task>>()
    /// The tag of the flow that was served last.
    private var virtualTime = 0.0
    private var interactiveTag = 0.0
    private var bulkTag = 0.0
    /// The tag of the class that was served last.
    private var classTime = 0.0
    /// The number of flows at which those that have nothing to remember are dropped.
    private var pruneCount = 1024

    init(weight: Double, interactiveSeconds: Double) {
        self.weight = weight
        self.interactiveSeconds = interactiveSeconds
    }

    mutating func add(_ task: Task, _ added: Load) {
        load.add(added)
        let flow = flow(of: task.client)
        flow.tasks.append(task)
        if flow.isWaiting { return }
        flow.isWithinShare = flow.tag <= virtualTime
        flow.tag = max(flow.tag, virtualTime)
        flow.credit = interactiveSeconds
        wait(flow)
    }

    mutating func remove(_ task: Task, _ removed: Load) {
        // The task stays in its flow until the flow is looked at.
        load.subtract(removed)
        resetIfIdle()
    }

    mutating func charge(_ seconds: Double, to client: ClientIdentity) {
        let flow = flow(of: client)
        // The place of a waiting flow in its class does not change; its next place does.
        flow.tag = max(flow.tag, virtualTime) + seconds
        flow.credit -= seconds
    }

    var hasInteractive: Bool { !interactive.isEmpty }

    /// Returns the task whose next sequence is due, and whether its client is in the interactive class; `nil` if nothing
    /// waits, or if what is due is not in the selection.
    mutating func peek(_ selection: FairScheduler<Task>.Selection) -> (task: Task, isInteractive: Bool)? {
        while true {
            let isInteractive =
                !interactive.isEmpty && (bulk.isEmpty || interactiveTag <= bulkTag || selection == .interactive)
            if !isInteractive, selection == .interactive { return nil }
            guard let flow = isInteractive ? interactive.first : bulk.first else { return nil }
            while let task = flow.tasks.first {
                if task.isRemoved {
                    _ = flow.tasks.popFirst()
                } else if case .upTo(let cost) = selection, task.cost(of: task.next) > cost {
                    return nil
                } else {
                    return (task, isInteractive)
                }
            }
            _ = popFirst(isInteractive: isInteractive)
            flow.isWaiting = false
        }
    }

    /// Takes the sequence of a task that `peek` has returned.
    mutating func take(_ task: Task, isInteractive: Bool, cost: Double, length: Int) {
        guard let flow = popFirst(isInteractive: isInteractive) else { return }
        if isInteractive {
            classTime = max(classTime, interactiveTag)
            interactiveTag += cost / Self.interactiveWeight
        } else {
            classTime = max(classTime, bulkTag)
            bulkTag += cost
        }
        // Interactive flows run ahead of the others, whose tags tell what a share is.
        if !isInteractive || bulk.isEmpty { virtualTime = max(virtualTime, flow.tag) }
        flow.tag += cost
        flow.credit -= cost
        task.next += 1
        let isDone = task.next == task.count
        if isDone { _ = flow.tasks.popFirst() }
        while let task = flow.tasks.first, task.isRemoved { _ = flow.tasks.popFirst() }
        load.subtract(Load(tasks: isDone ? 1 : 0, sequences: 1, tokens: length, cost: cost))
        if flow.tasks.isEmpty {
            flow.isWaiting = false
            resetIfIdle()
        } else {
            wait(flow)
        }
    }

    private mutating func popFirst(isInteractive: Bool) -> ClientFlow<Task>? {
        isInteractive ? interactive.popFirst() : bulk.popFirst()
    }

    /// Puts a flow into its class. A sequence that costs more than the flow may still take in the interactive class waits in
    /// the other.
    private mutating func wait(_ flow: ClientFlow<Task>) {
        flow.isWaiting = true
        if let task = flow.tasks.first, task.cost(of: task.next) > flow.credit { flow.isWithinShare = false }
        if flow.isWithinShare {
            if interactive.isEmpty { interactiveTag = max(interactiveTag, classTime) }
            interactive.append(flow)
        } else {
            if bulk.isEmpty { bulkTag = max(bulkTag, classTime) }
            bulk.insert(flow, key: flow.tag)
        }
    }

    private mutating func flow(of client: ClientIdentity) -> ClientFlow<Task> {
        if let flow = flows[client] { return flow }
        if flows.count >= pruneCount {
            flows = flows.filter { $0.value.isWaiting || $0.value.tag > virtualTime }
            pruneCount = max(1024, 2 * flows.count)
        }
        let flow = ClientFlow<Task>(tag: virtualTime)
        flows[client] = flow
        return flow
    }

    /// Forgets what clients were given once nothing waits: nobody was held up by it.
    private mutating func resetIfIdle() {
        guard load.sequences == 0 else { return }
        flows.removeAll(keepingCapacity: flows.count < 1024)
        // What is left in the classes are flows whose tasks have been removed.
        while interactive.popFirst() != nil {}
        while bulk.popFirst() != nil {}
        load = Load()
        (virtualTime, classTime, interactiveTag, bulkTag) = (0, 0, 0, 0)
        pruneCount = 1024
    }
}
