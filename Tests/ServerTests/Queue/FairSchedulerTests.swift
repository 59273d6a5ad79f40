import Glibc
import HTTP
import TestSupport
import Testing

@testable import Server

/// A task whose sequences have given costs; a sequence has as many tokens as a hundredth of a second has in its cost.
private final class TestTask: ScheduledTask {
    let client: ClientIdentity
    let model: Int
    let costs: [Double]
    var next = 0
    var isRemoved = false
    var isUnwanted = false
    /// The sequences that have been taken, in order.
    var taken: [Int] = []

    init(_ client: UInt64, model: Int = 0, costs: [Double]) {
        self.client = .connection(client)
        self.model = model
        self.costs = costs
    }

    var count: Int { costs.count }
    func cost(of sequence: Int) -> Double { costs[sequence] }
    func length(of sequence: Int) -> Int { max(1, Int(costs[sequence] * 100)) }
}

private typealias Scheduler = FairScheduler<TestTask>

extension FairScheduler<TestTask> {
    fileprivate mutating func take(
        _ selection: Selection = .all, sequences: Int = 1, tokens: Int = .max, cost: Double = .infinity
    ) -> Batch? {
        let (batch, _) = takeBatch(
            selection, limits: { _ in .init(sequences: sequences, tokens: tokens, cost: cost) },
            isUnwanted: { $0.isUnwanted })
        for (task, range) in batch?.parts ?? [] { task.taken += Array(range) }
        return batch
    }
}

@Suite struct FairSchedulerTests {
    /// Whatever is added, removed and taken, every sequence that is not removed is taken once, in its task's order, no batch
    /// exceeds its limits, and the counts are those of what waits.
    @Test(arguments: 0..<40) func losesAndRepeatsNothing(seed: UInt64) {
        var random = SplitMix(state: seed)
        var scheduler = Scheduler(weights: [1, 3, 0.5])
        var tasks: [TestTask] = []
        for _ in 0..<400 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3:
                let costs = (0..<Int.random(in: 1...30, using: &random)).map { _ in
                    pow(10, Double.random(in: -4...0, using: &random))
                }
                let task = TestTask(
                    .random(in: 0..<6, using: &random), model: .random(in: 0..<3, using: &random), costs: costs)
                tasks.append(task)
                scheduler.add(task)
            case 3: if let task = tasks.randomElement(using: &random) { scheduler.remove(task) }
            case 4: tasks.randomElement(using: &random)?.isUnwanted = true
            default:
                let limits = (
                    sequences: Int.random(in: 1...20, using: &random), tokens: Int.random(in: 1...200, using: &random),
                    cost: Double.random(in: 0.001...1, using: &random)
                )
                let selection: Scheduler.Selection =
                    [.all, .all, .interactive, .upTo(cost: 0.05)]
                    .randomElement(using: &random) ?? .all
                guard
                    let batch = scheduler.take(
                        selection, sequences: limits.sequences, tokens: limits.tokens, cost: limits.cost)
                else { break }
                #expect(batch.load.sequences == batch.parts.reduce(0) { $0 + $1.range.count })
                #expect(batch.load.sequences <= limits.sequences)
                #expect(batch.load.sequences == 1 || batch.load.tokens <= limits.tokens)
                #expect(batch.load.sequences == 1 || batch.load.cost <= limits.cost * 1.000001)
                #expect(batch.parts.allSatisfy { $0.task.model == batch.model && !$0.task.isRemoved })
                if case .upTo(let most) = selection {
                    #expect(batch.parts.first.map { $0.task.costs[$0.range.lowerBound] <= most } ?? false)
                }
                if selection == .interactive { #expect(batch.isInteractive) }
            }
            let waiting = tasks.filter { !$0.isRemoved && $0.next < $0.count }
            #expect(scheduler.load.tasks == waiting.count)
            #expect(scheduler.load.sequences == waiting.reduce(0) { $0 + $1.count - $1.next })
            #expect(scheduler.clients == Set(waiting.map(\.client)).count)
        }
        while scheduler.take(sequences: 7) != nil {}
        #expect(scheduler.isEmpty && scheduler.load.cost == 0 && scheduler.load.tokens == 0)
        for task in tasks {
            #expect(task.taken == Array(0..<task.next))
            #expect(task.isRemoved || task.next == task.count)
        }
    }

    /// Clients that always have work get the same time each, within one sequence of the ideal, whatever their sequences cost.
    @Test func sharesTimeByCost() {
        var scheduler = Scheduler(weights: [1])
        let costs = [0.3, 0.05, 0.9, 0.001, 0.2]
        let tasks = costs.enumerated().map { client, cost in
            TestTask(UInt64(client), costs: Array(repeating: cost, count: Int(60 / cost)))
        }
        for task in tasks { scheduler.add(task) }
        var used = [Double](repeating: 0, count: costs.count)
        for _ in 0..<20_000 {
            guard let task = scheduler.take()?.parts.first?.task, let client = tasks.firstIndex(where: { $0 === task })
            else { break }
            used[client] += costs[client]
            // At first, each may use up what the interactive class gives it.
            if used.reduce(0, +) > 5 {
                #expect(used.max()! - used.min()! <= 0.9 + 0.3 + 0.25, "after \(used)")
            }
            if used.reduce(0, +) > 100 { return }
        }
    }

    /// Models get time by their weights.
    @Test func sharesTimeByWeights() {
        var scheduler = Scheduler(weights: [1, 3])
        for model in 0..<2 { scheduler.add(TestTask(7, model: model, costs: Array(repeating: 0.1, count: 4000))) }
        var used = [0.0, 0]
        for _ in 0..<400 { if let batch = scheduler.take(sequences: 3) { used[batch.model] += batch.load.cost } }
        #expect(abs(used[1] / used[0] - 3) < 0.1)
    }

    /// A client that comes with something short is served next, however many clients have long work waiting.
    @Test(arguments: [1, 50, 500]) func servesShortWorkFirst(hogs: UInt64) {
        var scheduler = Scheduler(weights: [1, 1])
        for hog in 0..<hogs { scheduler.add(TestTask(hog, costs: Array(repeating: 0.13, count: 1024))) }
        for _ in 0..<(4 * hogs) { _ = scheduler.take(sequences: 2) }
        for client in 0..<200 as Range<UInt64> {
            let short = TestTask(10_000 + client, costs: [0.007])
            scheduler.add(short)
            #expect(scheduler.hasInteractive)
            #expect(scheduler.take(.interactive)?.parts.first?.task === short)
            // The hogs go on.
            #expect(scheduler.take()?.parts.first?.task !== short)
        }
    }

    /// A flood of new clients does not stop those with long work.
    @Test func starvesNobody() {
        var scheduler = Scheduler(weights: [1])
        let hog = TestTask(0, costs: Array(repeating: 0.1, count: 1000))
        scheduler.add(hog)
        var total = 0.0
        for client in 1..<20_000 as Range<UInt64> {
            scheduler.add(TestTask(client, costs: [0.01]))
            total += scheduler.take(cost: 0.25)?.load.cost ?? 0
        }
        let share = Double(hog.next) * 0.1 / total
        #expect(share > 0.18, "the class of long work has a fifth")
    }

    /// A client that has had more than its share waits like the others when it comes back.
    @Test func remembersWhatWasGiven() {
        var scheduler = Scheduler(weights: [1])
        scheduler.add(TestTask(1, costs: Array(repeating: 0.1, count: 100)))
        for _ in 0..<3 { _ = scheduler.take() }
        scheduler.charge(5, to: .connection(2), model: 0)
        scheduler.add(TestTask(2, costs: [0.001]))
        #expect(!scheduler.hasInteractive)
        scheduler.add(TestTask(3, costs: [0.001]))
        #expect(scheduler.hasInteractive)
    }
}
