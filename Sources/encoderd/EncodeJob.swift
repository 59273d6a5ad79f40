import Concurrency
import Dispatch
import JSON
import Models
import Server

/// Encodes the sequences of a source on several threads, and hands the results over in the source's order.
final class EncodeJob: @unchecked Sendable {
    private let model: Model
    private let call: EncodeCall
    private let limits: CallLimits
    private var source: any SequenceSource
    private var sink: any EncodeSink
    private let monitor = Monitor()
    private let turn = Monitor.Condition()
    // Guarded by the monitor.
    private var chunksTaken = 0
    private var chunksWritten = 0
    private var failure: (any Error)?
    private var notes = SequenceNotes()
    private var progress = ProgressBar()

    init(model: Model, call: EncodeCall, source: any SequenceSource, sink: any EncodeSink) {
        self.model = model
        self.call = call
        self.source = source
        self.sink = sink
        // Nothing bounds a command's input but the machine.
        var limits = RequestLimits()
        limits.maxSequences = .max
        limits.maxTokens = .max
        limits.maxLogits = .max
        limits.maxBodyBytes = .max
        self.limits = CallLimits(request: limits)
    }

    func run(threads: Int) throws {
        DispatchQueue.concurrentPerform(iterations: threads) { _ in work() }
        progress.clear()
        if let failure { throw failure }
        try sink.finish()
        for warning in notes.warnings(unit: source.unit, model: model) { StandardError.line("Warning: \(warning)") }
    }

    /// Encodes chunks until there are none.
    private func work() {
        let scratch = Scratch()
        while let (number, chunk) = take() {
            let outcome = Result { try encode(chunk, scratch) }
            deliver(outcome, number, chunk)
        }
    }

    private func take() -> (Int, SequenceChunk)? {
        monitor.withLock {
            guard failure == nil else { return nil }
            do {
                guard let chunk = try source.next() else { return nil }
                defer { chunksTaken += 1 }
                return (chunksTaken, chunk)
            } catch {
                failure = error
                turn.broadcast()
                return nil
            }
        }
    }

    private func encode(_ chunk: SequenceChunk, _ scratch: Scratch) throws -> EncodedChunk {
        var call = call
        call.input = .json(chunk.sequences.count == 1 ? chunk.sequences[0] : .array(chunk.sequences))
        do throws(APIError) {
            let results = try call.run(on: model, limits: limits, scratch: scratch)
            return EncodedChunk(results, first: chunk.first, sink)
        } catch {
            guard chunk.sequences.count > 1 || source.unit == "line" else {
                throw CommandError(OptionMessage.of(error))
            }
            throw CommandError(culprit(chunk, scratch) ?? OptionMessage.of(error))
        }
    }

    /// A sentence about the first sequence of a chunk that cannot be encoded.
    private func culprit(_ chunk: SequenceChunk, _ scratch: Scratch) -> String? {
        for (position, sequence) in chunk.sequences.enumerated() {
            var call = call
            call.input = .json(sequence)
            do throws(APIError) { _ = try call.run(on: model, limits: limits, scratch: scratch) } catch {
                return "\(source.unit) \(chunk.first + position + 1): \(OptionMessage.of(error))"
            }
        }
        return nil
    }

    /// Waits until the chunks before this one are written, so that no thread runs far ahead of the others.
    private func deliver(_ outcome: Result<EncodedChunk, any Error>, _ number: Int, _ chunk: SequenceChunk) {
        monitor.withLock {
            while chunksWritten < number, failure == nil { turn.wait(monitor) }
            guard failure == nil else { return }
            do {
                let encoded = try outcome.get()
                try sink.write(encoded)
                notes.add(encoded, chunk)
                progress.show(chunk.progress, sequences: chunk.first + chunk.sequences.count)
                chunksWritten += 1
            } catch {
                failure = error
            }
            turn.broadcast()
        }
    }
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
