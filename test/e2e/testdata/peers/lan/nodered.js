// Settings of a Node-RED without any server; see lan_test.go. What its flow has to
// know comes from the environment and from standard input.
const fs = require('fs')
const readline = require('readline')

const env = (name) => process.env['LAN_' + name]
const say = (...words) => fs.writeSync(1, words.join(' ') + '\n')
const lines = readline.createInterface({ input: process.stdin })
lines.pause()
const [one, two] = env('FILTERS').split(',')
process.env.LAN_FILTER_1 = one
process.env.LAN_FILTER_2 = two || 'lan/nothing'

module.exports = {
  httpAdminRoot: false,
  httpNodeRoot: false,
  userDir: env('DIR'),
  flowFile: env('FLOW'),
  credentialSecret: false,
  disableTours: true,
  telemetry: { enabled: false },
  externalModules: { autoInstall: false, palette: { allowInstall: false } },
  editorTheme: { codeEditor: { lib: 'monaco' } },
  logging: {
    own: {
      level: 'info',
      // Node-RED tells flows when a broker took the client, and nobody but its log
      // when it did not, or no longer has it.
      handler: () => (entry) => {
        if (/^Connection failed/.test(entry.msg)) say('refused ?')
        if (/^Disconnected from/.test(entry.msg)) say('lost')
      }
    }
  },
  functionGlobalContext: {
    say,
    exit: () => process.exit(0),
    lines,
    broker: {
      broker: env('URL'),
      usetls: env('CA') !== '',
      protocolVersion: Number(env('VERSION')),
      clientid: env('ID'),
      cleansession: env('CLEAN') === '1',
      sessionExpiry: env('CLEAN') === '1' ? 0 : 3600,
      username: env('USER'),
      password: env('PASSWORD'),
      will: { topic: env('WILL'), payload: 'gone', qos: 1 }
    }
  }
}
