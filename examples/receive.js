// Print the detections that udp_infer sends. Needs only Node.js; usage: node receive.js [PORT].
const receiver = require('node:dgram').createSocket('udp4');

receiver.on('message', (data) => {
  const message = JSON.parse(data);
  for (const item of message.predictions) {
    console.log(message.frame_id, item.class, item.tracker_id ?? '-',
      item.x, item.y, item.width, item.height);
  }
});
receiver.bind(Number(process.argv[2] ?? 37020));
