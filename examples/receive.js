// Print what udp_infer sends. Needs nothing but Node.js; the port is the first argument.
const receiver = require('node:dgram').createSocket('udp4');

receiver.on('message', (data) => {
  const message = JSON.parse(data);
  for (const found of message.predictions) {
    console.log(message.frame_id, found.class, found.tracker_id ?? '-',
      found.x, found.y, found.width, found.height);
  }
});
receiver.bind(Number(process.argv[2] ?? 37020));
