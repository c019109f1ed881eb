// A process that holds one usearch index, driven like hnswlib.cc. All queries go to the addon in one call, so that the
// loop over them is native.
//
//   node usearch.cjs BASE.f32 QUERIES.f32 SIZE l2|ip M EF_CONSTRUCT
'use strict'
const fs = require('fs')
const os = require('os')
const path = require('path')
const readline = require('readline')
const usearch = require('usearch')

const [baseFile, queryFile, size, metric, m, efConstruct] = process.argv.slice(2)
const floats = name => {
  const b = fs.readFileSync(name)
  return new Float32Array(b.buffer, b.byteOffset, b.length / 4)
}
const base = floats(baseFile)
const queries = floats(queryFile)
const n = base.length / size
const saved = path.join(os.tmpdir(), `usearch-bench-${process.pid}`)
const open = ef => new usearch.Index({
  dimensions: +size, metric: metric === 'l2' ? 'l2sq' : 'ip', quantization: 'f32',
  connectivity: +m, expansion_add: +efConstruct, expansion_search: ef
})
let index
let current = 0

const timed = work => {
  const wall = process.hrtime.bigint()
  const cpu = process.cpuUsage()
  const result = work()
  const used = process.cpuUsage(cpu)
  return [Number(process.hrtime.bigint() - wall) / 1e9, (used.user + used.system) / 1e6, result]
}

const commands = {
  build (threads) {
    const before = process.memoryUsage().rss
    index = open(64)
    const keys = BigUint64Array.from({ length: n }, (_, i) => BigInt(i))
    const [wall, cpu] = timed(() => index.add(keys, base, +threads))
    index.save(saved)
    current = 0
    return `built ${wall} ${cpu} ${process.memoryUsage().rss - before}`
  },
  search (ef, k, out) {
    if (current !== +ef) { // ef belongs to the index: it is loaded anew
      index = open(+ef)
      index.load(saved)
      current = +ef
    }
    const [wall, cpu, found] = timed(() => index.search(queries, +k, 1))
    fs.writeFileSync(out, Buffer.from(Uint32Array.from(found.keys, Number).buffer))
    return `searched ${wall} ${cpu}`
  }
}

process.on('exit', () => fs.rmSync(saved, { force: true }))
readline.createInterface({ input: process.stdin }).on('line', line => {
  const [what, ...args] = line.trim().split(/\s+/)
  try {
    console.log(commands[what] ? commands[what](...args) : 'error unknown command')
  } catch (e) {
    console.log('error ' + String(e.message).replace(/\s+/g, ' '))
  }
})
