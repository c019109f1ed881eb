// A process that holds one hnswlib index and times it with a native loop, driven over stdin by the benchmark beside it.
//
//   hnswlib BASE.f32 QUERIES.f32 SIZE l2|ip M EF_CONSTRUCT
//   build THREADS        -> built WALL_SECONDS CPU_SECONDS RESIDENT_BYTES
//   search EF K OUT.u32  -> searched WALL_SECONDS CPU_SECONDS     one thread, all queries; K row numbers each to OUT.u32
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "hnswlib.h"

static double now(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static std::vector<float> readFloats(const char* name) {
  struct stat s;
  std::vector<float> v;
  std::ifstream f(name, std::ios::binary);
  if (stat(name, &s) != 0 || !f) {
    std::cout << "error cannot read " << name << std::endl;
    exit(1);
  }
  v.resize(s.st_size / sizeof(float));
  f.read(reinterpret_cast<char*>(v.data()), s.st_size);
  return v;
}

static size_t resident() {
  size_t total = 0, pages = 0;
  std::ifstream("/proc/self/statm") >> total >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const std::vector<float> base = readFloats(argv[1]), queries = readFloats(argv[2]);
  const size_t size = std::stoul(argv[3]), m = std::stoul(argv[5]), efConstruct = std::stoul(argv[6]);
  const size_t n = base.size() / size, q = queries.size() / size;
  std::unique_ptr<hnswlib::SpaceInterface<float>> space;
  if (std::string(argv[4]) == "l2")
    space = std::make_unique<hnswlib::L2Space>(size);
  else
    space = std::make_unique<hnswlib::InnerProductSpace>(size);
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> index;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream in(line);
    std::string what;
    in >> what;
    if (what == "build") {
      int threads;
      in >> threads;
      index.reset();
      const size_t before = resident();
      const double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
      index = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), n, m, efConstruct);
      std::atomic<size_t> next{0};
      std::vector<std::thread> all;
      for (int t = 0; t < threads; t++)
        all.emplace_back([&] {
          for (size_t i; (i = next++) < n;) index->addPoint(base.data() + i * size, i);
        });
      for (auto& t : all) t.join();
      std::cout << "built " << now(CLOCK_MONOTONIC) - wall << " " << now(CLOCK_PROCESS_CPUTIME_ID) - cpu << " "
                << resident() - before << std::endl;
    } else if (what == "search" && index) {
      size_t ef, k;
      std::string out;
      in >> ef >> k >> out;
      index->setEf(ef);
      std::vector<uint32_t> rows(q * k, UINT32_MAX);
      const double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_THREAD_CPUTIME_ID);
      for (size_t i = 0; i < q; i++) {
        auto found = index->searchKnn(queries.data() + i * size, k);
        for (size_t j = found.size(); j-- > 0; found.pop()) rows[i * k + j] = found.top().second;
      }
      const double wallEnd = now(CLOCK_MONOTONIC), cpuEnd = now(CLOCK_THREAD_CPUTIME_ID);
      std::ofstream(out, std::ios::binary).write(reinterpret_cast<char*>(rows.data()), rows.size() * sizeof(uint32_t));
      std::cout << "searched " << wallEnd - wall << " " << cpuEnd - cpu << std::endl;
    } else {
      std::cout << "error unknown command" << std::endl;
    }
  }
}
