/// GET /: one page, without outside resources, to try the server.
enum Page {
    static let html = #"""
        <!doctype html>
        <html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>encoderd</title>
        <style>
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
        textarea, select, button { font: inherit } textarea { width: 100%; box-sizing: border-box }
        pre { background: #f4f4f4; padding: .7rem; white-space: pre-wrap; overflow-wrap: anywhere } img { max-width: 100% }
        </style>
        <h1>encoderd</h1>
        <form id="form">
        <p><label>Model <select id="model"></select></label></p>
        <p><label>Input: a text, or JSON (token ids, feature vectors)
        <textarea id="input" rows="3">an RNN reads one step at a time</textarea></label></p>
        <p><button>Encode</button> <button id="show" type="button">Show attention</button></p>
        </form>
        <pre id="answer" aria-live="polite"></pre>
        <div id="map"></div>
        <p><a href="/v1/models">models</a> · <a href="/openapi.json">openapi.json</a> · <a href="/metrics">metrics</a></p>
        <script>
        const by = id => document.getElementById(id);
        const say = text => { by('answer').textContent = text; };
        const input = () => { const t = by('input').value; if (!/^\s*[\[{]/.test(t)) return t;
          try { return JSON.parse(t) } catch { return t } };
        const post = (path, fields) => fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ model: by('model').value, input: input(), ...fields }) });
        fetch('/v1/models').then(r => r.json()).then(l => { for (const m of l.data) by('model').add(new Option(m.id)) });
        by('form').onsubmit = async event => { event.preventDefault(); by('map').textContent = '';
          const r = await post('/v1/encode', {}); const text = await r.text();
          say(r.status + ' · ' + (r.headers.get('Server-Timing') || '') + '\n' + text.slice(0, 3000)) };
        by('show').onclick = async () => { by('map').textContent = '';
          const r = await post('/v1/attention', { format: 'svg', layers: -1 });
          if (!r.ok) { const fallback = await post('/v1/attention', { format: 'svg' });
            if (!fallback.ok) return say(await r.text());
            return draw(await fallback.blob()) }
          draw(await r.blob()) };
        const draw = blob => { say(''); const i = new Image(); i.alt = 'attention map';
          i.src = URL.createObjectURL(blob); by('map').append(i) };
        </script>
        </html>
        """#
}
