import Glibc

/// The sizes of the machine's caches (sysconf(3), glibc's `_SC_LEVEL2_CACHE_SIZE`, which asks CPUID).
public enum CPUCaches {
    /// The size of a core's second-level cache in bytes. 1 MiB if the system does not tell.
    public static let l2Bytes: Int = {
        let size = sysconf(Int32(_SC_LEVEL2_CACHE_SIZE))
        return (64 << 10...1 << 30).contains(size) ? size : 1 << 20
    }()
}
