import Foundation
import Testing

/// Tests of what commands print about models and about themselves.
@Suite struct InformationTests {
    @Test(arguments: ["--version", "-V"]) func printsTheVersion(_ option: String) throws {
        let outcome = try Program.run([option], environment: ["ENCODERD_ISA": "baseline"])
        let lines = outcome.output.split(separator: "\n")
        #expect(outcome.code == 0 && lines.count == 2, "\(outcome)")
        #expect(lines[0].wholeMatch(of: #/encoderd \d+\.\d+\.\d+(, commit [0-9a-f]{7,40})?/#) != nil)
        #expect(lines[1].hasPrefix("kernel tables of this machine: baseline (in use)"))
    }

    @Test func inspectsAsJSON() throws {
        let outcome = try Program.run(["inspect", "--json", "--model", Program.model("minilm")])
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        #expect(object["family"] as? String == "bert" && object["parameters"] as? Int == 22_565_376)
        #expect(object["max_length"] as? Int == 256 && object["pooling"] as? String == "mean")
        let weights = try #require(object["weights"] as? [String: Any])
        let tensors = try #require(weights["tensors"] as? [[String: Any]])
        #expect(weights["format"] as? String == "safetensors" && tensors.count == 104)
        #expect(tensors.contains { $0["name"] as? String == "pooler.dense.weight" && $0["used"] as? Bool == false })
    }

    @Test func inspectsWithoutLimits() throws {
        let outcome = try Program.run(["inspect", "--brief", "--model", Program.model("g2p")])
        #expect(outcome.output.contains("longest input unlimited"), "\(outcome.output)")
        #expect(outcome.output.contains("402.2 k (402176)"), "\(outcome.output)")
    }

    @Test func groupsTheOptionsOfServe() throws {
        let help = try Program.run(["serve", "--help"]).output
        let order = [
            "MODELS:", "  --model ", "LISTENING:", "TLS AND ACCESS:", "LIMITS OF ONE REQUEST:", "--max-head-bytes",
        ]
        let options = try #require(help.range(of: "USAGE:")).upperBound..<help.endIndex
        let places = order.compactMap { help.range(of: $0, range: options)?.lowerBound }
        #expect(places.count == order.count && places == places.sorted())
    }

    @Test func logsItsNameOnce() throws {
        let server = try RunningServer(["--model", "m=\(Program.model("g2p"))", "--threads", "1"])
        let lines = try server.logText().split(separator: "\n")
        let line = try #require(lines.last { $0.contains("listening on") })
        #expect(line.contains(" info encoderd: listening on http://127.0.0.1:") && line.hasSuffix(", 1 worker thread"))
    }

    @Test func saysHowToFindAFreePort() throws {
        let server = try RunningServer(["--model", "m=\(Program.model("g2p"))"])
        let outcome = try Program.run(["serve", "--model", Program.model("g2p"), "--port", "\(server.port)"])
        #expect(
            outcome.code == 1 && outcome.errors.contains("choose another --port, or 0 for a free one"), "\(outcome)")
    }
}
