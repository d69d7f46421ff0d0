// What others see in site files by the JSON Schema: ajv, strictly, and the language
// server behind the YAML support of most editors.
//
//   node validate.js FOLDER SCHEMA FILE...    FOLDER has their node_modules
//
// prints a line {"file", "ajv", "editor"} for each file, with the complaints of each.
'use strict';
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');
const { pathToFileURL } = require('url');
const { spawn } = require('child_process');

const [modules, schemaPath, ...files] = process.argv.slice(2);
const need = createRequire(path.join(modules, 'package.json'));
const Ajv = need('ajv').default;
const yaml = need('yaml');
const rpc = need('vscode-jsonrpc/node');

const validate = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true }).compile(JSON.parse(fs.readFileSync(schemaPath, 'utf8')));

function ajv(text) {
  const documents = yaml.parseAllDocuments(text);
  const broken = documents.flatMap((d) => d.errors.map((e) => e.message));
  if (broken.length > 0 || documents.length !== 1) return broken.length > 0 ? broken : ['not one document'];
  try {
    if (validate(documents[0].toJS())) return [];
  } catch (e) {
    return [e.message]; // an alias to nothing
  }
  return validate.errors.map((e) => `${e.instancePath} ${e.message}`);
}

async function editor() {
  const server = spawn(process.execPath, [path.join(modules, 'node_modules/yaml-language-server/bin/yaml-language-server'), '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const link = rpc.createMessageConnection(new rpc.StreamMessageReader(server.stdout), new rpc.StreamMessageWriter(server.stdin));
  const waiting = new Map();
  link.onNotification('textDocument/publishDiagnostics', ({ uri, diagnostics }) => waiting.get(uri)?.(diagnostics.map((d) => d.message)));
  link.onRequest('workspace/configuration', ({ items }) => items.map((i) => (i.section === 'yaml' ? { validate: true, schemaStore: { enable: false } } : {})));
  link.onRequest('client/registerCapability', () => null);
  link.listen();
  await link.sendRequest('initialize', { processId: process.pid, rootUri: null, capabilities: { workspace: { configuration: true } } });
  link.sendNotification('initialized', {});
  return {
    complaints(file, text) {
      const uri = pathToFileURL(file).href;
      const head = `# yaml-language-server: $schema=${pathToFileURL(schemaPath).href}\n`;
      return new Promise((resolve) => {
        waiting.set(uri, resolve);
        link.sendNotification('textDocument/didOpen', { textDocument: { uri, languageId: 'yaml', version: 1, text: head + text } });
      });
    },
    close: () => server.kill(),
  };
}

(async () => {
  const e = await editor();
  const all = files.map(async (file) => {
    const text = fs.readFileSync(file, 'utf8');
    console.log(JSON.stringify({ file, ajv: ajv(text), editor: await e.complaints(file, text) }));
  });
  await Promise.all(all);
  e.close();
  process.exit(0);
})();
