// The same measurements as JSONBench for C++ libraries. ARCHITECTURE.md has the results.
//   apt-get install libsimdjson-dev rapidjson-dev libdouble-conversion-dev
//   c++ -O3 -march=native -o /tmp/peers Benchmarks/JSONBench/peers.cpp -lsimdjson -ldouble-conversion && /tmp/peers
#include <double-conversion/double-conversion.h>
#include <rapidjson/document.h>
#include <rapidjson/reader.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

// Prints the lowest CPU time of seven runs of `body`, in total and per number.
template <class F>
static void report(const char* name, size_t numbers, F body) {
    auto clock = [] {
        timespec time;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return time.tv_sec + time.tv_nsec / 1e9;
    };
    double best = 1e9;
    for (int i = 0; i < 7; i++) {
        double start = clock();
        body();
        best = std::min(best, clock() - start);
    }
    std::printf("%-40s %8.1f us %6.1f ns per number\n", name, best * 1e6, best * 1e9 / numbers);
}

// A SAX handler that collects all numbers as f32.
struct Floats : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Floats> {
    std::vector<float> values;
    bool Double(double d) { values.push_back((float)d); return true; }
    bool Int(int i) { values.push_back((float)i); return true; }
    bool Uint(unsigned i) { values.push_back((float)i); return true; }
    bool Default() { return true; }
};

// Measures reading a matrix of `count` numbers, given as JSON text, into arrays of f32.
static void read(const char* name, const std::string& text, size_t count) {
    std::printf("reading %s, %zu bytes\n", name, text.size());
    std::string padded = text;
    padded.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    report("simdjson 3.0 ondemand", count, [&] {
        simdjson::ondemand::parser parser;
        std::vector<float> out;
        auto doc = parser.iterate(padded);
        for (auto row : doc.get_array())
            for (auto v : row.get_array()) out.push_back((float)v.get_double().value());
        if (out.size() != count) std::abort();
    });
    report("simdjson 3.0 dom", count, [&] {
        simdjson::dom::parser parser;
        std::vector<float> out;
        for (auto row : parser.parse(padded).get_array())
            for (auto v : row.get_array()) out.push_back((float)v.get_double().value());
        if (out.size() != count) std::abort();
    });
    report("rapidjson SAX, full precision", count, [&] {
        rapidjson::Reader reader;
        rapidjson::StringStream stream(text.c_str());
        Floats handler;
        reader.Parse<rapidjson::kParseFullPrecisionFlag>(stream, handler);
        if (handler.values.size() != count) std::abort();
    });
}

// Measures the same data as JSONBench: 512 × 384 states to write, and 160 × 40 features to read.
int main() {
    std::mt19937_64 random(7);
    std::normal_distribution<double> normal;
    std::vector<float> states(512 * 384);
    for (auto& x : states) x = (float)(normal(random) * 0.05);
    std::string features32 = "[", features64 = "[";
    for (int i = 0; i < 160; i++) {
        features32 += i ? ",[" : "[";
        features64 += i ? ", [" : "[";
        for (int j = 0; j < 40; j++) {
            double x = normal(random);
            char shortest[32];
            *std::to_chars(shortest, shortest + 32, (float)x).ptr = 0;
            features32 += std::string(j ? "," : "") + shortest;
            *std::to_chars(shortest, shortest + 32, x).ptr = 0;
            features64 += std::string(j ? ", " : "") + shortest;
        }
        features32 += "]";
        features64 += "]";
    }
    features32 += "]";
    features64 += "]";

    std::printf("writing 512 x 384 floats\n");
    std::string out(states.size() * 20, ' ');
    report("std::to_chars", states.size(), [&] {
        char* p = out.data();
        for (float x : states) {
            p = std::to_chars(p, p + 20, x).ptr;
            *p++ = ',';
        }
    });
    report("double-conversion ToShortestSingle", states.size(), [&] {
        double_conversion::StringBuilder builder(out.data(), (int)out.size());
        for (float x : states) {
            double_conversion::DoubleToStringConverter::EcmaScriptConverter().ToShortestSingle(x, &builder);
            builder.AddCharacter(',');
        }
    });
    report("snprintf %.9g", states.size(), [&] {
        char* p = out.data();
        for (float x : states) p += std::snprintf(p, 20, "%.9g,", x);
    });
    read("160 x 40, shortest f32", features32, 6400);
    read("160 x 40, shortest f64", features64, 6400);
}
