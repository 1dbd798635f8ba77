// npm's `rtsp-streaming-server`: takes a stream on one port and serves it on another. Arguments: both ports.
const { default: RtspServer } = require('rtsp-streaming-server');

const [serverPort, clientPort] = process.argv.slice(2).map(Number);
const server = new RtspServer({ serverPort, clientPort, rtpPortStart: 30000 + 2 * (process.pid % 5000), rtpPortCount: 100 });
server.start().then(() => console.log('listening'));
