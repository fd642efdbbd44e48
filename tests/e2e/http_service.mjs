// A server of a test's own on a port of its own. Its `serve(request, response)` answers.
import { createServer } from 'node:http';

export class HttpService {
  async open() {
    this.sockets = new Set();
    this.server = createServer((request, response) => this.serve(request, response));
    this.server.on('connection', (socket) => { this.sockets.add(socket); socket.on('close', () => this.sockets.delete(socket)); });
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.server.address().port}/mcp`;
    return this;
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}
