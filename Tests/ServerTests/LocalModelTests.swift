import Models
import Testing

@testable import Server

@Suite struct LocalModelTests {
    /// The engine's threads compute what the calling thread does, in the order of the input.
    @Test(arguments: [1, 3]) func runsCalls(threads: Int) throws {
        let local = try LocalModel(Toy.models[0], threads: threads)
        var call = EncodeCall(.texts((0..<100).map { String(repeating: "a ", count: 1 + $0 % 5) }))
        call.outputs = [.embedding, .states]
        let (found, expected) = (try local.run(call), try call.run(on: local.model))
        #expect(found.results.map(\.embedding) == expected.results.map(\.embedding))
        #expect(found.results.map(\.states) == expected.results.map(\.states))
        #expect(found.tokens == expected.tokens && found.sequences.count == 100)
    }

    @Test func refuses() throws {
        let local = try LocalModel(Toy.models[0], threads: 1)
        let error = #expect(throws: APIError.self) { try local.run(EncodeCall(.texts([]))) }
        #expect(error?.code == "empty_input")
    }
}
