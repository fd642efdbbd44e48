#include "controlplane/rpc/use_cases.h"

namespace sallyport::controlplane {
namespace {

KnownRealms RealmsOf(const config::v1::ControlPlaneConfig& config, const TrustedIssuers& issuers) {
  KnownRealms realms;
  for (const config::v1::Issuer& issuer : config.issuers()) {
    const std::string& realm = issuer.realm().empty() ? issuer.id() : issuer.realm();
    realms.all.insert(realm);
    if (issuers.RealmHasPeople(realm)) realms.with_people.insert(realm);
    for (const auto& [name, path] : issuer.claims().attributes()) realms.claims[realm].insert(name);
  }
  return realms;
}

CallSource SourceOf(const ReadCalls& read) {
  return [&read](const CallFilter& filter, auto take, auto on_progress) {
    return read.ForEach(filter, take, on_progress);
  };
}

}  // namespace

UseCases::UseCases(const Foundations& on, const config::v1::ControlPlaneConfig& config,
                   const std::string& public_address)
    : confirmed_ends(on.control, on.clock, connected_agents.Asker()),
      grants(on.keys.grant_signer(), on.deployment_id, on.clock),
      notices(config),
      open_session({.control = on.control,
                    .recordings = on.recordings,
                    .clock = on.clock,
                    .issuers = on.issuers,
                    .policies = on.policies,
                    .grants = grants,
                    .notices = notices}),
      renew_session(on.control, on.clock, on.issuers),
      end_session(on.control, on.clock, confirmed_ends),
      revoke_principal(on.control, on.clock, confirmed_ends),
      review_session(on.control, on.recordings, on.clock, on.policies),
      withdrawn_keys(on.control, on.clock, on.issuers),
      read_sessions(on.control, on.recordings, on.clock),
      decide_approval(on.control, on.clock, on.policies),
      revoke_approval(on.control, on.clock),
      read_approvals(on.control),
      call_approvals({.control = on.control,
                      .clock = on.clock,
                      .policies = on.policies,
                      .notices = notices,
                      .is_connected = connected_agents.Asker()}),
      reserve_call({.control = on.control,
                    .clock = on.clock,
                    .policies = on.policies,
                    .is_connected = connected_agents.Asker()}),
      settle_call(on.control, on.clock),
      outgoing_notices(on.control, on.clock),
      enroll_agent(on.control, on.clock, on.keys.ca()),
      create_join_token(on.control, on.clock, on.keys.ca(), public_address),
      read_agents(
          on.control, on.recordings,
          {.is_connected = connected_agents.Asker(),
           .not_understood =
               [this](std::string_view name) { return connected_agents.NotUnderstood(name); },
           .copy_seen_at =
               [this](std::string_view name) { return connected_agents.CopySeenAt(name); }}),
      ban_agent(on.control, on.clock, connected_agents.Asker()),
      pin_tools(on.control, on.clock),
      manage_tools(on.control, on.clock),
      agent_updates(on.control, on.recordings, grants),
      apply_policy(on.control, on.clock, RealmsOf(config, on.issuers.trusted())),
      delete_document(on.control, on.clock),
      rollback_document(on.control, on.clock, RealmsOf(config, on.issuers.trusted())),
      read_documents(on.control),
      build_snapshot(on.control, on.clock, on.keys.snapshot_signer(), on.keys.effect_keys()),
      explain_policy(on.control, on.clock, on.issuers, on.keys.effect_keys()),
      explain_token(on.control, on.clock, on.issuers),
      appender(on.recordings),
      ingest_records(on.control, on.recordings, appender, on.clock),
      replay_recording(on.control, on.recordings, on.clock),
      verify_recording(on.control, on.recordings, on.clock, connected_agents.Asker()),
      read_calls(on.control, on.recordings),
      simulate_policy(on.control, on.clock, RealmsOf(config, on.issuers.trusted()),
                      SourceOf(read_calls)),
      suggest_policy(on.control, on.clock, SourceOf(read_calls)) {}

}  // namespace sallyport::controlplane
