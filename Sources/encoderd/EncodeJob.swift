import Concurrency
import Dispatch
import JSON
import Models
import Server

/// Encodes the sequences of a source on several threads, and hands the results over in the source's order.
final class EncodeJob: @unchecked Sendable {
    private let model: Model
    private let call: EncodeCall
    private var source: any SequenceSource
    private var sink: any EncodeSink
    private let monitor = Monitor()
    private let turn = Monitor.Condition()
    // Guarded by the monitor.
    private var chunksTaken = 0
    private var chunksWritten = 0
    private var isAtEnd = false
    private var failure: (any Error)?
    private var notes = SequenceNotes()
    private var progress = ProgressBar()

    init(model: Model, call: EncodeCall, source: any SequenceSource, sink: any EncodeSink) {
        self.model = model
        self.call = call
        self.source = source
        self.sink = sink
    }

    /// - Parameter threads: If there are fewer chunks than threads, several threads share each pass.
    func run(threads: Int) throws {
        let workers = max(1, min(threads, source.chunkCount ?? threads))
        DispatchQueue.concurrentPerform(iterations: workers) { worker in
            work(members: threads / workers + (worker < threads % workers ? 1 : 0))
        }
        progress.clear()
        if let failure { throw failure }
        try sink.finish()
        for warning in notes.warnings(unit: source.unit, model: model) { StandardError.line("Warning: \(warning)") }
    }

    /// Encodes chunks until there are none.
    /// - Parameter members: The number of threads that share a pass.
    private func work(members: Int) {
        let helpers = HelperThreads(count: members - 1)
        helpers.team.open()
        defer { helpers.team.close() }
        let scratch = Scratch(team: helpers.team)
        while let (number, chunk) = take() {
            switch chunk {
            case .success(let chunk): deliver(encode(chunk, scratch), number)
            case .failure(let error): deliver(Outcome(failure: error), number)
            }
        }
    }

    /// Takes the next chunk and its number, or the error that the source has in its place.
    private func take() -> (Int, Result<SequenceChunk, any Error>)? {
        monitor.withLock {
            guard failure == nil, !isAtEnd else { return nil }
            do {
                guard let chunk = try source.next() else {
                    isAtEnd = true
                    return nil
                }
                defer { chunksTaken += 1 }
                return (chunksTaken, .success(chunk))
            } catch {
                isAtEnd = true
                return (chunksTaken, .failure(error))
            }
        }
    }

    private func run(_ sequences: [JSONValue], _ scratch: Scratch) throws(APIError) -> EncodeResults {
        var call = call
        call.input = .sequences(sequences)
        return try call.run(on: model, limits: .unbounded, scratch: scratch)
    }

    /// Encodes the sequences of a chunk up to the first that cannot be encoded.
    private func encode(_ chunk: SequenceChunk, _ scratch: Scratch) -> Outcome {
        do throws(APIError) {
            let results = try run(chunk.sequences, scratch)
            return Outcome(chunk: chunk, encoded: EncodedChunk(results, first: chunk.first, sink))
        } catch {
            guard source.isNumbered, let bad = firstBad(chunk, scratch) else {
                return Outcome(failure: CommandError(OptionMessage.of(error)))
            }
            let failure = CommandError(
                "\(source.unit) \(chunk.first + bad.position + 1): \(OptionMessage.of(bad.error))")
            if bad.position == 0 { return Outcome(failure: failure) }
            var good = chunk
            good.sequences.removeSubrange(bad.position...)
            var outcome = encode(good, scratch)
            outcome.failure = outcome.failure ?? failure
            return outcome
        }
    }

    /// Finds the first sequence of a chunk that cannot be encoded by itself.
    private func firstBad(_ chunk: SequenceChunk, _ scratch: Scratch) -> (position: Int, error: APIError)? {
        for (position, sequence) in chunk.sequences.enumerated() {
            do throws(APIError) { _ = try run([sequence], scratch) } catch { return (position, error) }
        }
        return nil
    }

    /// Waits until the chunks before this one are written, so that no thread runs far ahead of the others.
    private func deliver(_ outcome: Outcome, _ number: Int) {
        monitor.withLock {
            while chunksWritten < number, failure == nil { turn.wait(monitor) }
            guard failure == nil else { return }
            do {
                if let chunk = outcome.chunk, let encoded = outcome.encoded {
                    try sink.write(encoded)
                    notes.add(encoded, chunk)
                    progress.show(chunk.progress, sequences: chunk.first + chunk.sequences.count)
                }
                chunksWritten += 1
                failure = outcome.failure
            } catch {
                failure = error
            }
            turn.broadcast()
        }
    }
}

/// The results of a chunk up to the first bad sequence, and the error about that one.
private struct Outcome {
    var chunk: SequenceChunk?
    var encoded: EncodedChunk?
    var failure: (any Error)?
}

/// Sequences about which the user is warned.
private struct SequenceNotes {
    private var count = 0
    private var truncated = 0
    private var firstTruncated = 0
    private var empty = 0
    private var firstEmpty = 0

    mutating func add(_ encoded: EncodedChunk, _ chunk: SequenceChunk) {
        for (position, isTruncated) in encoded.truncated.enumerated() where isTruncated {
            if truncated == 0 { firstTruncated = chunk.first + position + 1 }
            truncated += 1
        }
        for (position, sequence) in chunk.sequences.enumerated() where sequence.string?.isEmpty == true {
            if empty == 0 { firstEmpty = chunk.first + position + 1 }
            empty += 1
        }
        count += encoded.truncated.count
    }

    func warnings(unit: String, model: Model) -> [String] {
        func subject(_ number: Int) -> String {
            if count == 1 { return "The sequence is" }
            return "\(number) of \(count) sequences \(number == 1 ? "is" : "are")"
        }
        func first(_ number: Int) -> String { count == 1 ? "" : " (the first: \(unit) \(number))" }
        var warnings: [String] = []
        if truncated > 0 {
            let longest = model.description.architecture.maxLength
            let what = longest.map { "\($0) \(model.description.inputUnit)" } ?? "length"
            warnings.append(
                "\(subject(truncated)) cut to the \(what) that the model takes\(first(firstTruncated)); "
                    + "--no-truncate makes that an error.")
        }
        if empty > 0 { warnings.append("\(subject(empty)) empty\(first(firstEmpty)).") }
        return warnings
    }
}

extension ModelDescription {
    /// The unit in which a sequence's length is counted.
    var inputUnit: String { if case .features = architecture.input { "steps" } else { "tokens" } }
}

/// A bar on standard error, if that is a terminal and standard output is not.
private struct ProgressBar {
    private let isShown = StandardError.isTerminal && !StandardOutput.isTerminal
    private let start = ContinuousClock.now
    private var last = ContinuousClock.now
    private var isDrawn = false

    mutating func show(_ part: Double?, sequences: Int) {
        guard isShown, last.duration(to: .now) > .milliseconds(200) else { return }
        last = .now
        isDrawn = true
        let seconds = start.duration(to: last) / .seconds(1)
        var text = "\(sequences) sequences, \(fixed(Double(sequences) / seconds, digits: 0)) per second"
        if let part {
            let full = Int(part * 30)
            let bar = String(repeating: "#", count: full) + String(repeating: ".", count: 30 - full)
            let rest = part > 0 ? Int((seconds / part - seconds).rounded()) : 0
            text = "[\(bar)] \(Int(part * 100)) %, \(text), \(rest) s left"
        }
        StandardError.write("\r\(text)\u{1B}[K")
    }

    mutating func clear() {
        if isDrawn { StandardError.write("\r\u{1B}[K") }
        isDrawn = false
    }
}
