// The wire between an agent and its control plane, which can be held up in one direction or the other, until it is cut.
import { connect, createServer } from 'node:net';

export class Wire {
  // `target`: where it leads just now, as `host:port`.
  static async start(target) {
    const self = new Wire();
    self.server = createServer((agent) => self.#join(agent, target()));
    self.pairs = new Set();
    self.delivered = 0;  // bytes that the agent was given
    await new Promise((done) => self.server.listen(0, '127.0.0.1', done));
    self.address = `127.0.0.1:${self.server.address().port}`;
    return self;
  }

  // Nothing more of the control plane's reaches the agent; or, after `told` bytes at once, not what answers `said` bytes at once.
  holdAnswers() { this.holdsAnswers = true; }
  holdAnswersAfter({ told, said }) { Object.assign(this, { told, said, isTold: false }); }
  // Nothing more of the agent's reaches the control plane.
  holdRequests() { this.holdsRequests = true; }
  // What is held up is lost, with the connections that carry it; new ones carry everything.
  cut() {
    this.holdsAnswers = this.holdsRequests = false;
    this.told = this.said = undefined;
    for (const { agent, controlPlane } of this.pairs) { agent.destroy(); controlPlane.destroy(); }
  }

  close() {
    this.cut();
    this.server.close();
  }

  #join(agent, target) {
    const [host, port] = target.split(':');
    const controlPlane = connect(Number(port), host);
    const pair = { agent, controlPlane };
    this.pairs.add(pair);
    agent.on('data', (chunk) => {
      if (this.holdsRequests) return;
      controlPlane.write(chunk);
      if (this.isTold && chunk.length > this.said) this.holdsAnswers = true;
    });
    controlPlane.on('data', (chunk) => {
      if (this.holdsAnswers) return;
      this.delivered += chunk.length;
      if (chunk.length > this.told) this.isTold = true;
      agent.write(chunk);
    });
    for (const [one, other] of [[agent, controlPlane], [controlPlane, agent]]) {
      one.on('error', () => {});
      one.on('close', () => { other.destroy(); this.pairs.delete(pair); });
    }
  }
}
