#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>

#include "controlplane/store/calls.h"
#include "tests/integration/controlplane/races/calls.h"

namespace sallyport::controlplane {
namespace {

// Rounds of each race. SALLYPORT_RACES sets it; the full number is 10,000.
int Rounds() {
  const char* rounds = std::getenv("SALLYPORT_RACES");
  return rounds == nullptr ? 200 : std::atoi(rounds);
}

struct Racing : Calls {
  using Runner = std::function<void(const std::string& id)>;
  // All of them at once, again and again, and two that come to use what was granted.
  void Race(
      const std::vector<Runner>& runners, const Runner& after = [](const std::string&) {}) {
    const int rounds = Rounds();
    std::string id;
    bool is_over = false;
    std::barrier start(static_cast<std::ptrdiff_t>(runners.size()) + 3);
    std::barrier end(static_cast<std::ptrdiff_t>(runners.size()) + 3);
    std::vector<Runner> all = runners;
    for (const char* call : {"first", "second"}) {
      all.emplace_back([this, call](const std::string& approval) {
        // Until it is granted there is nothing to use; a few tries meet it at different moments.
        for (int tries = 0; tries < 3; ++tries) Consume(approval, target + call);
      });
    }
    std::vector<std::thread> threads;
    for (const Runner& runner : all) {
      threads.emplace_back([&, runner] {
        while (true) {
          start.arrive_and_wait();
          if (is_over) return;
          runner(id);
          end.arrive_and_wait();
        }
      });
    }
    for (int round = 0; round < rounds; ++round) {
      id = Ask(round);
      start.arrive_and_wait();
      end.arrive_and_wait();
      // Whoever comes later finds what was granted, and no more.
      Consume(id, target + "late");
      after(id);
    }
    is_over = true;
    start.arrive_and_wait();
    for (std::thread& thread : threads) thread.join();
  }
  // Counted from the records alone, and printed.
  void CheckHistory() {
    const std::vector<std::string> broken = BrokenRules(*Read());
    CAPTURE(broken);
    CHECK(broken.empty());
    const Outcomes outcomes = OutcomesOf(*Read());
    std::printf("%s:\n ", Catch::getResultCapture().getCurrentTestName().c_str());
    int approvals = 0;
    for (const auto& [state, count] : outcomes.approvals) {
      std::printf(" %d %s,", count, state.c_str());
      approvals += count;
    }
    std::printf(" %d calls let through\n", outcomes.calls);
    CHECK(approvals == Rounds());
  }

  const Runner approve = [this](const std::string& id) { (void)Approve(id, alice); };
  const Runner approve_too = [this](const std::string& id) { (void)Approve(id, bob); };
  const Runner deny = [this](const std::string& id) { (void)Deny(id, bob); };
};

TEST_CASE_METHOD(Racing, "approve against approve: granted once, used once", "[races]") {
  Race({approve, approve_too});
  CheckHistory();
}

TEST_CASE_METHOD(Racing, "approve against deny: one decision, used only if it is yes", "[races]") {
  Race({approve, deny});
  CheckHistory();
}

TEST_CASE_METHOD(Racing, "approve against the end of its time: granted or expired", "[races]") {
  Race({approve, [this](const std::string&) {
          clock.Advance(absl::Seconds(5));
          (void)expire->Run();
        }});
  CheckHistory();
}

TEST_CASE_METHOD(Racing, "approve against a caller that takes the call back", "[races]") {
  Race({approve, [this](const std::string& id) { Withdraw(id); }});
  CheckHistory();
}

TEST_CASE_METHOD(Racing, "use against somebody who takes the approval back", "[races]") {
  Race({approve, [this](const std::string& id) { Revoke(id); }});
  CheckHistory();
}

TEST_CASE_METHOD(Racing, "approve against the end of the session", "[races]") {
  // To be used, an approval takes two steps before the end's one. So the end comes later by what
  // the rounds before have shown to make it a race, on whichever machine.
  std::chrono::microseconds head_start{0};
  int used = 0;
  Race({approve,
        [&](const std::string&) {
          std::this_thread::sleep_for(head_start);
          admin::v1::EndSessionRequest request;
          request.set_id(session_id);
          request.set_no_lock(true);
          (void)end->Run(admin, request);
        }},
       [&](const std::string& id) {
         const bool was_used = ApprovalOf(id).state() == types::v1::APPROVAL_STATE_CONSUMED;
         used += was_used;
         head_start = was_used ? head_start * 3 / 4 : head_start + std::chrono::microseconds(100);
         OpenAs(subject);
       });
  CheckHistory();
  CHECK(used > Rounds() / 10);
  CHECK(used < Rounds() - Rounds() / 10);
}

TEST_CASE_METHOD(Racing, "approve against a policy that comes to deny: no use after it",
                 "[races]") {
  Race(
      {approve, [this](const std::string&) { ApplyPolicy(kTerms, "[{deny: {tools: [\"t*\"]}}]"); }},
      [this](const std::string& id) {
        Withdraw(id);
        ApplyPolicy(kTerms, kRules);
      });
  CheckHistory();
  // In the order of the log, no call is let through between a policy that denies and the next.
  bool is_denied = false;
  int puts = 0;
  const auto log = audit_log::List(*Read(), 0, 10'000'000);
  for (const audit_log::Line& line : *log) {
    if (line.action == "document.put") is_denied = puts++ % 2 == 1;
    if (line.action == "call.reserve") CHECK_FALSE(is_denied);
  }
  CHECK(puts == 1 + 2 * Rounds());
}

// What decides and uses an approval that it has read before the transaction that writes it, as
// several control planes over one database would: nothing but the store's comparison, of what was
// read with what is there, stands between two of them.
struct Apart : Racing {
  // As if the store compared nothing.
  bool is_blind = false;

  void Write(const std::string& id, const Caller& by, const std::string& action,
             const std::function<absl::Status(Approval&)>& change, bool lets_through = false) {
    Approval approval = ApprovalOf(id);
    std::this_thread::yield();
    const auto t = Racing::Write();
    if (is_blind) {
      Approval::Stored stored = approval.stored();
      stored.revision = (**approvals::Find(*t, id)).stored().revision;
      approval = Approval(std::move(stored));
    }
    if (!change(approval).ok() || !approvals::Update(*t, approval).ok()) return;
    if (lets_through && !calls::Insert(*t, CallOf(approval), {}).ok()) return;
    (void)audit_log::Append(*t, audit_log::LineOf(by, clock.Now(), action, id));
    (void)t->Commit();
  }
  static ReservedCall CallOf(const Approval& approval) {
    types::v1::Call call;
    call.set_session_id(approval.proto().session_id());
    call.set_call_id(approval.stored().call_id);
    call.set_server(approval.proto().server());
    call.set_method(approval.proto().method());
    call.set_target(approval.proto().tool());
    call.set_approval_id(approval.id());
    return ReservedCall::Reserved(std::move(call), std::string(64, 'c'), absl::Now());
  }
  Runner Decides(const Caller& by, bool yes) {
    return [this, &by, yes](const std::string& id) {
      Write(id, by, yes ? "approval.approve" : "approval.deny", [&](Approval& approval) {
        return approval.Decide(by.person()->principal, yes, "because", clock.Now());
      });
    };
  }
  Runner Uses(const std::string& call) {
    return [this, call](const std::string& id) {
      const auto use = [&](Approval& approval) {
        return approval.Consume(target + call, clock.Now());
      };
      Write(id, agent, "approval.consume", use, /*lets_through=*/true);
    };
  }
  // One yes against one no, and then two uses at once, until a rule is broken.
  void RaceApart(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      const std::string id = Ask(round);
      AtOnce(Decides(alice, true), Decides(bob, false), id);
      AtOnce(Uses("first"), Uses("second"), id);
      if (ApprovalOf(id).is_open()) Withdraw(id);
      if (is_blind && round % 20 == 0 && !BrokenRules(*Read()).empty()) return;
    }
  }
  static void AtOnce(const Runner& one, const Runner& other, const std::string& id) {
    std::barrier start(2);
    std::thread thread([&] {
      start.arrive_and_wait();
      other(id);
    });
    start.arrive_and_wait();
    one(id);
    thread.join();
  }

  const Caller agent = Agent("a1");
};

TEST_CASE_METHOD(Apart, "what was read before somebody else wrote is not written", "[races]") {
  RaceApart(Rounds());
  CheckHistory();
}

TEST_CASE_METHOD(Apart, "the history shows what happens without the comparison", "[races]") {
  is_blind = true;
  // Enough rounds that a machine with one core meets it too.
  RaceApart(2000);
  CHECK_FALSE(BrokenRules(*Read()).empty());
}

}  // namespace
}  // namespace sallyport::controlplane
