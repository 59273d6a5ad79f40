// swift-tools-version: 6.2
import PackageDescription

// Settings of every Swift target: warnings are errors. The tools version selects Swift 6 language mode.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

// Settings of the kernels for one instruction set (`-march`). They are optimized in debug builds too, so tests run the code
// that ships. `-Ounchecked` removes overflow and bounds traps, since callers check every pointer and count (see
// Sources/Kernels/README.md). The checks of the address sanitizer are function calls; inline checks took ten minutes to
// compile.
func kernelSettings(_ march: String?) -> [SwiftSetting] {
    var flags = ["-Ounchecked", "-Xllvm", "-asan-instrumentation-with-call-threshold=0"]
    if let march { flags += ["-Xcc", "-march=\(march)"] }
    return strict + [.unsafeFlags(flags)]
}

#if arch(x86_64)
let vectorTargets: [Target] = [
    // The kernels compiled for x86-64-v3 (AVX2, FMA) and for x86-64-v4 (AVX-512).
    .target(name: "KernelsAVX2", dependencies: ["Kernels", "CIntrinsics"], swiftSettings: kernelSettings("x86-64-v3")),
    .target(
        name: "KernelsAVX512", dependencies: ["Kernels", "CIntrinsics"],
        swiftSettings: kernelSettings("x86-64-v4")),
]
let vectorDependencies: [Target.Dependency] = ["KernelsAVX2", "KernelsAVX512"]
#else
let vectorTargets: [Target] = []
let vectorDependencies: [Target.Dependency] = []
#endif

// The fuzz targets in Tests/FuzzTests. They are tests that run the stored inputs. If ENCODERD_FUZZER is set (`make fuzz`),
// they become a libFuzzer program instead.
let fuzzDependencies: [Target.Dependency] = [
    "Server", "HTTP", "Models", "Tokenizers", "ModelFiles", "KernelSelection", "JSON", "CZlib",
]
let fuzzTarget: Target =
    Context.environment["ENCODERD_FUZZER"] == nil
    ? .testTarget(
        name: "FuzzTests", dependencies: fuzzDependencies, exclude: ["Corpora", "Findings", "LibFuzzer.swift"],
        swiftSettings: strict)
    : .executableTarget(
        name: "FuzzTests", dependencies: fuzzDependencies, path: "Tests/FuzzTests",
        exclude: ["Corpora", "Findings", "CorpusTests.swift"],
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])

let package = Package(
    name: "encoderd",
    products: [
        .executable(name: "encoderd", targets: ["encoderd"]),
        .executable(name: "KernelBench", targets: ["KernelBench"]),
        .executable(name: "JSONBench", targets: ["JSONBench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    ],
    targets: vectorTargets + [
        fuzzTarget,
        // Instructions that Swift's SIMD types cannot express.
        .target(name: "CIntrinsics"),
        // System calls that `import Glibc` lacks, such as epoll, accept4 and futex.
        .target(name: "CSystem"),
        // The commit. It changes often, and only the targets that import this one are built again.
        .target(
            name: "CBuild",
            cSettings: [.define("ENCODERD_COMMIT", to: "\"\(Context.environment["ENCODERD_COMMIT"] ?? "")\"")]),
        // The OpenAPI document and the page, embedded with `#embed` of C23.
        .target(
            name: "CResources", exclude: ["openapi.json", "page.html"], cSettings: [.unsafeFlags(["-std=c23"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        // Oniguruma, the regular expression library that the patterns in tokenizer.json are written for.
        .systemLibrary(name: "COnig", pkgConfig: "oniguruma", providers: [.apt(["libonig-dev"])]),

        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

        // A strict JSON parser and writer for configurations, tokenizers, weight headers and the HTTP API.
        .target(name: "JSON", dependencies: ["Diagnostics"], swiftSettings: strict),
        // Excerpts of untrusted texts, and suggestions for misspelled names.
        .target(name: "Diagnostics", swiftSettings: strict),
        // Threads, locks that the thread sanitizer recognizes, condition variables, and a queue.
        .target(name: "Concurrency", swiftSettings: strict),
        // Readers of model directories, which check untrusted files and return tensors and settings.
        .target(name: "ModelFiles", dependencies: ["JSON", "Diagnostics", "CZlib"], swiftSettings: strict),
        // Conversion between text and token ids.
        .target(
            name: "Tokenizers", dependencies: ["ModelFiles", "JSON", "Diagnostics", "Concurrency", "COnig"],
            swiftSettings: strict),
        // Numeric kernels, generic over the vector type. The targets below compile them for one instruction set each.
        .target(
            name: "Kernels", dependencies: ["CIntrinsics"], exclude: ["README.md"], swiftSettings: kernelSettings(nil)),
        // The kernels for the baseline of the architecture: SSE2 on x86-64, NEON with FMA on arm64.
        .target(name: "KernelsBaseline", dependencies: ["Kernels", "CIntrinsics"], swiftSettings: kernelSettings(nil)),
        // The choice of one kernel table at start, from CPUID.
        .target(
            name: "KernelSelection", dependencies: ["Kernels", "KernelsBaseline", "CIntrinsics"] + vectorDependencies,
            swiftSettings: strict),
        .target(
            name: "Models",
            dependencies: ["Tokenizers", "ModelFiles", "Kernels", "JSON", "Diagnostics", "Concurrency", "CSystem"],
            swiftSettings: strict),
        // An HTTP/1.1 server with TLS, content codings, API keys and CORS. It knows nothing of models or JSON.
        .target(
            name: "HTTP", dependencies: ["Concurrency", "Diagnostics", "CSystem", "CZlib", "COpenSSL"],
            swiftSettings: strict),
        .target(
            name: "Server",
            dependencies: [
                "HTTP", "Models", "Tokenizers", "ModelFiles", "JSON", "Diagnostics", "Concurrency", "CSystem",
                "CResources", "CZlib",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "encoderd",
            dependencies: [
                "Server", "HTTP", "Models", "Tokenizers", "ModelFiles", "Diagnostics", "Concurrency", "JSON",
                "KernelSelection",
                "CSystem", "CBuild", "CResources",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),

        // Benchmark of the kernels beside the peak of the CPU core, which CPeak measures.
        .target(name: "CPeak", path: "Benchmarks/CPeak"),
        .executableTarget(
            name: "KernelBench",
            dependencies: [
                "KernelSelection", "Models", "CPeak",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], path: "Benchmarks/KernelBench", swiftSettings: strict),
        // Benchmark of JSON beside Foundation, and of its share in the time of a request.
        .executableTarget(
            name: "JSONBench", dependencies: ["JSON", "Server", "Models", "KernelSelection"],
            path: "Benchmarks/JSONBench", exclude: ["peers.cpp"], swiftSettings: strict),

        .testTarget(name: "CommandTests", dependencies: ["encoderd", "JSON", "Server"], swiftSettings: strict),
        .testTarget(name: "ConcurrencyTests", dependencies: ["Concurrency"], swiftSettings: strict),
        .testTarget(name: "DiagnosticsTests", dependencies: ["Diagnostics"], swiftSettings: strict),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: strict),
        .testTarget(
            name: "KernelsTests", dependencies: ["KernelSelection", "TestSupport"], swiftSettings: strict),
        // Folders, files and generators that several test targets use.
        .target(name: "TestSupport", dependencies: ["ModelFiles"], path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(name: "ModelFilesTests", dependencies: ["ModelFiles", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "TokenizersTests", dependencies: ["Tokenizers", "ModelFiles", "JSON", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "ModelsTests",
            dependencies: [
                "Models", "ModelFiles", "Kernels", "KernelSelection", "JSON", "Concurrency", "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "HTTPTests", dependencies: ["HTTP", "Concurrency", "CSystem", "COpenSSL", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "HTTP", "Models", "Tokenizers", "KernelSelection", "JSON", "Concurrency",
                "CResources", "CZlib", "TestSupport",
            ], swiftSettings: strict),
    ]
)
