import KernelSelection
import Testing

@Suite struct SelectionTests {
    /// The kernel's own list of features: an independent reading of CPUID and XCR0.
    @Test func availableTablesAreThoseOfTheMachine() throws {
        #if arch(x86_64) && os(Linux)
        let info = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
        let line = try #require(info.split(separator: "\n").first { $0.hasPrefix("flags") })
        let flags = Set(line.split(separator: " ").map(String.init))
        var want: [InstructionSet] = [.baseline]
        if flags.isSuperset(of: ["avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "abm"]) { want.append(.avx2) }
        if flags.isSuperset(of: ["avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"]) { want.append(.avx512) }
        #expect(KernelSelection.available.map(\.instructionSet) == want)
        #else
        #expect(KernelSelection.available.map(\.instructionSet) == [.baseline])
        #endif
    }

    /// A table for whatever processor there is: this one with features taken away, as CPUID would report it.
    @Test func maskedProcessorsGetTablesThatTheyCanRun() throws {
        #if arch(x86_64)
        var v3 = CPUFeatures()
        v3.leaf1ECX = 1 << 12 | 1 << 22 | 1 << 27 | 1 << 28 | 1 << 29
        v3.leaf7EBX = 1 << 3 | 1 << 5 | 1 << 8
        v3.extended1ECX = 1 << 5
        v3.xcr0 = 0x7
        var v4 = v3
        v4.leaf7EBX |= 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30 | 1 << 31
        v4.xcr0 = 0xe7
        func changed(_ processor: CPUFeatures, _ change: (inout CPUFeatures) -> Void) -> CPUFeatures {
            var copy = processor
            change(&copy)
            return copy
        }
        let cases: [(String, CPUFeatures, [String])] = [
            ("nothing but x86-64", CPUFeatures(), ["baseline"]),
            ("Nehalem", changed(CPUFeatures()) { $0.leaf1ECX = 1 << 20 }, ["baseline"]),
            ("Haswell", v3, ["baseline", "avx2"]),
            ("no FMA", changed(v3) { $0.leaf1ECX &= ~(1 << 12) }, ["baseline"]),
            ("no AVX2", changed(v3) { $0.leaf7EBX &= ~(1 << 5) }, ["baseline"]),
            ("AVX that the system does not save", changed(v3) { $0.xcr0 = 0x3 }, ["baseline"]),
            ("Alder Lake", changed(v3) { $0.leaf7Subleaf1EAX = 1 << 4 }, ["baseline", "avx2", "avx2-vnni"]),
            ("Skylake-SP", v4, ["baseline", "avx2", "avx512"]),
            ("no AVX512VL", changed(v4) { $0.leaf7EBX &= ~(1 << 31) }, ["baseline", "avx2"]),
            (
                "AVX-512 that the system does not save",
                changed(v4) {
                    $0.xcr0 = 0x7
                    $0.leaf7ECX = 1 << 11
                    $0.leaf7Subleaf1EAX = 1 << 5
                }, ["baseline", "avx2"]
            ),
            ("Cascade Lake", changed(v4) { $0.leaf7ECX = 1 << 11 }, ["baseline", "avx2", "avx512", "avx512-vnni"]),
            (
                "Zen 4",
                changed(v4) {
                    $0.leaf7ECX = 1 << 11
                    $0.leaf7Subleaf1EAX = 1 << 5
                }, ["baseline", "avx2", "avx512", "avx512-vnni", "avx512-vnni-bf16"]
            ),
            (
                "Sapphire Rapids",
                changed(v4) {
                    $0.leaf7ECX = 1 << 11
                    $0.leaf7Subleaf1EAX = 1 << 5 | 1 << 4
                }, ["baseline", "avx2", "avx2-vnni", "avx512", "avx512-vnni", "avx512-vnni-bf16"]
            ),
        ]
        for (name, processor, want) in cases {
            #expect(KernelSelection.tables(for: processor).map(\.name) == want, "\(name)")
        }
        #endif
        #expect(KernelSelection.tables(for: .current).map(\.name) == KernelSelection.variants.map(\.name))
    }

    /// The arithmetic of each table is that of its name.
    @Test func tablesSayTheirArithmetic() {
        for table in KernelSelection.variants {
            #expect(table.int8.arithmetic.contains("VNNI") == table.name.contains("vnni"), "\(table.name)")
            #expect((table.bf16.arithmetic == "AVX512_BF16") == table.name.hasSuffix("bf16"), "\(table.name)")
            #expect(table.f32.precision == .f32 && table.bf16.precision == .bf16 && table.int8.precision == .int8)
        }
    }

    @Test func picksByName() throws {
        let fastest = try #require(KernelSelection.available.last).instructionSet
        #expect(try KernelSelection.select(nil).instructionSet == fastest)
        #expect(try KernelSelection.select("").instructionSet == fastest)
        for set in InstructionSet.allCases {
            if KernelSelection.available.contains(where: { $0.instructionSet == set }) {
                #expect(try KernelSelection.select(set.rawValue).instructionSet == set)
            } else {
                #expect(throws: KernelSelectionError.self) { try KernelSelection.select(set.rawValue) }
            }
        }
    }

    @Test func picksExactTables() throws {
        for table in KernelSelection.variants {
            #expect(try KernelSelection.select("=" + table.name).name == table.name)
        }
        #expect(throws: KernelSelectionError.self) { try KernelSelection.select("=avx1024") }
    }

    @Test(arguments: ["avx", "AVX2", "avx512 ", "sse2"])
    func refusesUnknownNames(_ name: String) {
        let error = #expect(throws: KernelSelectionError.self) { try KernelSelection.select(name) }
        #expect(error?.message.contains("\"\(name)\"") == true)
        #expect(error?.message.contains("baseline, avx2, avx512") == true)
    }
}
