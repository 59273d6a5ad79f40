// swift-tools-version: 6.2
import PackageDescription

// Every target: Swift 6 language mode (the tools version's default) and warnings as errors.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

// Kernels keep full speed in debug builds too, so tests run the code that ships. `-Ounchecked` removes overflow and
// bounds traps: every pointer and count has been checked by the caller (see Sources/Kernels/README.md).
// Where the address sanitizer is on, its checks in them are calls: in line they took ten minutes to compile.
func kernelSettings(_ march: String?) -> [SwiftSetting] {
    var flags = ["-Ounchecked", "-Xllvm", "-asan-instrumentation-with-call-threshold=0"]
    if let march { flags += ["-Xcc", "-march=\(march)"] }
    return strict + [.unsafeFlags(flags)]
}

#if arch(x86_64)
let vectorTargets: [Target] = [
    // The same kernels compiled for x86-64-v3 (AVX2, FMA) and for x86-64-v4 (AVX-512).
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

// What fuzzers run on each input (Tests/FuzzTests) is part of the tests, which run it on the inputs that are kept; where
// ENCODERD_FUZZER is set (`make fuzz`) it becomes a program of libFuzzer instead.
let fuzzDependencies: [Target.Dependency] = [
    "Server", "Models", "KernelSelection", "JSON", "CZlib",
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
        // Instructions that Swift's SIMD types cannot spell.
        .target(name: "CIntrinsics"),
        // System calls that `import Glibc` lacks: epoll, accept4, madvise.
        .target(name: "CSystem"),
        // The OpenAPI document and the page, embedded by `#embed`, which is of C23.
        .target(
            name: "CResources", exclude: ["openapi.json", "page.html"], cSettings: [.unsafeFlags(["-std=c23"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        // Regular expressions of tokenizer.json: the library they were written for.
        .systemLibrary(name: "COnig", pkgConfig: "oniguruma", providers: [.apt(["libonig-dev"])]),

        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

        // A strict JSON reader and writer, used for configurations, tokenizers, weight headers and the HTTP API.
        .target(name: "JSON", swiftSettings: strict),
        // Locks that the thread sanitizer sees, and condition variables.
        .target(name: "Locks", swiftSettings: strict),
        // Numbers in, numbers out: inlinable bodies, generic over the vector type, compiled by the targets below.
        .target(name: "Kernels", dependencies: ["CIntrinsics"], swiftSettings: kernelSettings(nil)),
        // The kernels for what every machine of the architecture has: SSE2 on x86-64, NEON with FMA on arm64.
        .target(name: "KernelsBaseline", dependencies: ["Kernels", "CIntrinsics"], swiftSettings: kernelSettings(nil)),
        // Picks one table of kernels, once, from CPUID.
        .target(
            name: "KernelSelection", dependencies: ["Kernels", "KernelsBaseline", "CIntrinsics"] + vectorDependencies,
            swiftSettings: strict),
        .target(
            name: "Models", dependencies: ["Kernels", "JSON", "Locks", "CSystem", "CZlib", "COnig"],
            swiftSettings: strict),
        .target(
            name: "Server",
            dependencies: [
                "Models", "JSON", "Locks", "CSystem", "CResources", "CZlib", "COpenSSL",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "encoderd",
            dependencies: [
                "Server", "KernelSelection", "CSystem", "CResources",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),

        // Benchmarks: what the core can do at most, and what the kernels make of it.
        .target(name: "CPeak", path: "Benchmarks/CPeak"),
        .executableTarget(
            name: "KernelBench",
            dependencies: [
                "KernelSelection", "Models", "CPeak",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], path: "Benchmarks/KernelBench", swiftSettings: strict),
        // What JSON costs, next to Foundation, and which part of a request it is.
        .executableTarget(
            name: "JSONBench", dependencies: ["JSON", "Server", "Models", "KernelSelection"],
            path: "Benchmarks/JSONBench", exclude: ["peers.cpp"], swiftSettings: strict),

        .testTarget(name: "CommandTests", dependencies: ["encoderd", "Server"], swiftSettings: strict),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: strict),
        .testTarget(
            name: "KernelsTests", dependencies: ["Kernels", "KernelSelection", "Models"], swiftSettings: strict),
        .testTarget(name: "ModelsTests", dependencies: ["Models", "KernelSelection", "JSON"], swiftSettings: strict),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "Models", "KernelSelection", "JSON", "Locks", "CSystem", "CResources", "CZlib", "COpenSSL",
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),
    ]
)
