// A client of the LAN broker on MQTT.js; see lan_test.go.
const fs = require('fs')
const readline = require('readline')
const mqtt = require('mqtt')

const env = (name) => process.env['LAN_' + name]
const v5 = env('VERSION') === '5'
const clean = env('CLEAN') === '1'
const say = (...words) => fs.writeSync(1, words.join(' ') + '\n')
const end = (...words) => { say(...words); process.exit(0) }

const client = mqtt.connect(env('URL'), {
  protocolVersion: Number(env('VERSION')),
  clientId: env('ID'),
  clean,
  username: env('USER'),
  password: env('PASSWORD'),
  ca: env('CA') ? [fs.readFileSync(env('CA'))] : undefined,
  properties: v5 ? { sessionExpiryInterval: clean ? 0 : 3600, requestResponseInformation: true } : undefined,
  will: env('WILL') ? { topic: env('WILL'), payload: 'gone', qos: 1 } : undefined,
  reconnectPeriod: 0
})
client.on('message', (topic, payload, packet) => say('message', topic, packet.qos, packet.retain ? 1 : 0, payload))
client.on('error', (err) => end('refused', typeof err.code === 'number' ? err.code : '?'))
client.on('close', () => end('lost'))
client.on('connect', (ack) => {
  say('connected', ack.sessionPresent ? 1 : 0)
  client.subscribe(env('FILTERS').split(','), { qos: 2 }, (_, granted, packet) => say('subscribed', packet.granted.join()))
})

const lines = readline.createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const [, topic, qos, retain, payload] = line.split(' ')
  client.publish(topic, payload, { qos: Number(qos), retain: retain === '1' }, (err) => say('published', err ? err.code : 0))
})
lines.on('close', () => client.removeAllListeners('close').end(false, () => process.exit(0)))
