#pragma once

namespace sallyport {

// gRPC writes lines of its own to stderr, in no format that anybody reads: a handshake that failed,
// with the source file. Both may be called at any time and hold for the whole process;
// GRPC_VERBOSITY in the environment still decides what gRPC says at all.

// As lines of our log, event `grpc`, few of many, and how many were left out: for a program that
// serves, for any stranger can make a handshake fail. All of them if GRPC_VERBOSITY is set.
void LogGrpcAsJson();

// Not at all, unless GRPC_VERBOSITY asks for it: for a client, whose own message says what failed.
void SilenceGrpc();

}  // namespace sallyport
