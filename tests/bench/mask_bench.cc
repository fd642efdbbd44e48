// What masking costs on the call path. Text like a tool's: prose, numbers, JSON in a string, some
// escapes.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>

#include "agent/mask/json_masker.h"
#include "agent/mcp/json_scan.h"

namespace sallyport::agent {
namespace {

std::string Message(std::size_t bytes, bool has_secrets) {
  std::string items;
  for (int i = 0; items.size() < bytes; ++i) {
    if (i > 0) items += ",";
    const std::string n = std::to_string(i);
    items += R"({"type":"text","text":"Row )" + n + R"(: order 2026-11-25T10:)" +
             std::to_string(10 + i % 50) +
             R"(:00Z shipped to \"Lisbon\", see https://shop.example.com/orders/)" + n +
             R"( for details; total 1,204.50 EUR over 3 items.","annotations":{"priority":0.5}})";
    if (has_secrets && i % 4 == 0) {
      items += R"(,{"type":"text","text":"{\"user\":\"ann@example.com\",\"key\":\"AKIA)"
               "QYLPMN5HHHFPZAM2"
               R"(\",\"id\":)" +
               n + R"(}"})";
    }
  }
  return R"({"jsonrpc":"2.0","id":1,"result":{"content":[)" + items + "]}}";
}

SessionMask Session(const std::shared_ptr<const MaskEngine>& engine) {
  SessionMask mask;
  mask.plan = *MaskPlan::Compile(engine, std::vector<std::string>{"secrets", "pii"}, {});
  mask.credentials =
      *CredentialEcho::Create(std::vector<std::string>{"not-a-credential-0123456789"});
  mask.token_key = std::string(32, 'k');
  return mask;
}

void BM_Scan(benchmark::State& state) {
  const std::string bytes = Message(static_cast<std::size_t>(state.range(0)), false);
  for (auto _ : state) benchmark::DoNotOptimize(ScanUpstreamMessage(bytes));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes.size()));
}
BENCHMARK(BM_Scan)->Arg(1 << 10)->Arg(4 << 10)->Arg(64 << 10);

void Mask(benchmark::State& state, bool has_secrets) {
  const auto engine = *MaskEngine::Create();
  const auto masker = *Masker::Create(engine);
  const SessionMask mask = Session(engine);
  const auto message =
      *ScanUpstreamMessage(Message(static_cast<std::size_t>(state.range(0)), has_secrets));
  for (auto _ : state) benchmark::DoNotOptimize(masker->Mask(message, mask));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * message.bytes.size()));
}
void BM_MaskClean(benchmark::State& state) { Mask(state, false); }
void BM_MaskDense(benchmark::State& state) { Mask(state, true); }
BENCHMARK(BM_MaskClean)->Arg(1 << 10)->Arg(4 << 10)->Arg(64 << 10);
BENCHMARK(BM_MaskDense)->Arg(4 << 10)->Arg(64 << 10);

}  // namespace
}  // namespace sallyport::agent
