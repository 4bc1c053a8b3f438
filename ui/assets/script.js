// Follows changes: puts rows and cells that the server sends in their places, and asks for
// another view without leaving the page. Without it every link and form works as well.
(() => {
  'use strict';
  const body = document.body;
  const words = body.dataset;
  const live = document.getElementById('live');
  const ahead = Number(words.now) - Date.now(); // of the server's clock
  const silentAfter = 40e3; // the server says something every 15 s
  const firstRetry = 1e3, lastRetry = 10e3;
  const policy = window.trustedTypes
    ? window.trustedTypes.createPolicy('rows', { createHTML: (html) => html })
    : { createHTML: (html) => html };

  // parse returns the elements of a text from the server, which has escaped it.
  const parse = (html) => {
    const t = document.createElement('template');
    t.innerHTML = policy.createHTML(html);
    return t.content;
  };

  const age = (seconds) => {
    for (const [unit, n] of [['day', 86400], ['hour', 3600], ['minute', 60]]) {
      if (seconds >= n) return Math.floor(seconds / n) + '\u00a0' + words[unit];
    }
    return Math.max(0, Math.floor(seconds)) + '\u00a0' + words.second;
  };

  const tick = (root) => {
    const now = (Date.now() + ahead) / 1000;
    for (const t of root.querySelectorAll('time:not(.clock)')) {
      const text = age(now - Date.parse(t.dateTime) / 1000);
      if (t.textContent !== text) t.textContent = text;
    }
  };

  // same compares a cell with what the server sends, regardless of ages and of what the
  // reader has unfolded.
  const same = (cell, sent) => {
    const plain = cell.cloneNode(true);
    for (const t of plain.querySelectorAll('time:not(.clock)')) t.textContent = '';
    for (const d of plain.querySelectorAll('details[open]')) d.open = false;
    return plain.isEqualNode(sent);
  };

  // replace puts an element in the place of another one, and keeps what the reader has
  // unfolded or focused in it.
  const replace = (old, next) => {
    const open = [...old.querySelectorAll('details')].map((d) => d.open);
    const active = document.activeElement;
    const inside = old.contains(active) ? active.id || active.tagName.toLowerCase() : '';
    tick(next);
    old.replaceWith(next);
    next.querySelectorAll('details').forEach((d, i) => { if (open[i]) d.open = true; });
    if (inside) {
      const again = document.getElementById(inside) || next.querySelector(inside);
      if (again) again.focus({ preventScroll: true });
    }
  };

  const update = (cell, sent) => { if (!same(cell, sent)) replace(cell, sent); };

  const rowOf = (html) => parse(html).firstElementChild;

  // merge updates a row to what the server sends of it.
  const merge = (row, sent) => {
    if (row.children.length !== sent.children.length) { replace(row, sent); return; }
    if (row.className !== sent.className) row.className = sent.className;
    [...sent.children].forEach((cell, i) => update(row.children[i], cell));
  };

  const apply = (sheet, p) => {
    for (const key in p.n || {}) {
      const sent = rowOf(p.n[key]);
      const row = document.getElementById(key);
      if (row) merge(row, sent);
      else { tick(sent); sheet.append(sent); }
    }
    for (const key in p.k || {}) {
      const row = document.getElementById(key);
      if (row) row.className = p.k[key];
    }
    for (const key in p.c || {}) {
      const row = document.getElementById(key);
      for (const i in p.c[key]) if (row) update(row.children[i], rowOf(p.c[key][i]));
    }
    if (!p.o) return;
    const keep = new Set(p.o);
    for (const row of [...sheet.children]) if (!keep.has(row.id)) row.remove();
    const active = document.activeElement;
    let at = sheet.firstElementChild;
    for (const key of p.o) {
      const row = document.getElementById(key);
      if (row === at) at = at.nextElementSibling;
      else if (row) sheet.insertBefore(row, at);
    }
    if (active && active !== document.activeElement && sheet.contains(active)) active.focus({ preventScroll: true });
  };

  const title = () => {
    const n = Number(document.getElementById('troubled').dataset.n);
    document.title = n > 0 ? `(${n}) haproxy-zk` : 'haproxy-zk';
  };

  // say shows how the page follows: live, connecting or lost.
  const say = (state, text) => {
    if (state !== 'connecting' || !body.classList.contains('lost')) {
      body.classList.remove('live', 'connecting', 'lost');
      body.classList.add(state);
      if (live.textContent !== text) live.textContent = text;
    }
  };

  let stream = null, heard = 0, retry = firstRetry, timer = 0, ever = false;

  const lose = () => {
    if (stream) stream.close();
    stream = null;
    say('lost', ever ? words.lost : words.nostream);
    clearTimeout(timer);
    timer = setTimeout(connect, retry * (0.75 + Math.random() / 2));
    retry = Math.min(lastRetry, retry * 2);
  };

  const receive = (event) => {
    heard = Date.now();
    retry = firstRetry;
    ever = true;
    say('live', words.live);
    if (event.data === '.') return;
    const message = JSON.parse(event.data);
    if (message.build) {
      if (message.build !== words.build) location.reload();
      return;
    }
    for (const id in message) {
      const sheet = document.getElementById(id);
      if (sheet) apply(sheet, message[id]);
    }
    title();
  };

  function connect() {
    clearTimeout(timer);
    if (stream) stream.close();
    stream = null;
    if (!window.EventSource) { say('lost', words.nostream); return; }
    say('connecting', words.connecting);
    const query = new URLSearchParams(location.search);
    query.set('in', document.documentElement.lang.slice(0, 2));
    query.set('mark', document.getElementById('main').dataset.mark);
    heard = Date.now();
    stream = new EventSource(location.origin + '/ui/stream?' + query);
    stream.onmessage = receive;
    stream.onerror = lose;
  }

  // renew puts another view in the place of this one. The field that the reader types in
  // stays as it is.
  const renew = (main, typing) => {
    for (const part of ['#strip', '#only', '#pager', '.groups thead', '#groups', '#events']) {
      document.querySelector(part).replaceWith(main.querySelector(part));
    }
    for (const form of main.querySelectorAll('form')) {
      const mine = document.getElementById(form.id);
      for (const field of mine.querySelectorAll('input[type=hidden]')) field.remove();
      mine.prepend(...form.querySelectorAll('input[type=hidden]'));
      for (const field of form.querySelectorAll('select, input')) {
        const old = document.getElementById(field.id);
        if (old && old !== typing) old.value = field.value;
      }
    }
    document.getElementById('main').dataset.mark = main.dataset.mark;
  };

  // show asks for another view.
  let asking = null;
  const show = async (url, push, typing) => {
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    let page;
    try {
      const answer = await fetch(new URL(url, location.origin), { signal: mine.signal, headers: { Accept: 'text/html' } });
      if (!answer.ok) throw new Error(answer.status);
      page = parse(await answer.text());
    } catch (e) {
      if (e.name !== 'AbortError') location.assign(url);
      return;
    }
    const main = page.getElementById('main');
    if (!main) { location.assign(url); return; }
    if (push) history.pushState(null, '', url);
    tick(main);
    const id = document.activeElement && document.activeElement.id;
    renew(main, typing);
    document.getElementById('languages').replaceWith(page.getElementById('languages'));
    const again = id && document.getElementById(id);
    if (again && again !== document.activeElement) again.focus({ preventScroll: true });
    title();
    connect();
  };

  const address = (form) => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
    return query.size ? '/ui?' + query : '/ui';
  };

  document.addEventListener('click', (event) => {
    const a = event.target.closest('main a');
    if (!a || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const url = new URL(a.href);
    if (url.pathname !== '/ui' || a.getAttribute('href').startsWith('#')) return;
    event.preventDefault();
    show(url.pathname + url.search, true);
  });
  document.addEventListener('submit', (event) => {
    event.preventDefault();
    show(address(event.target), true);
  });
  document.addEventListener('change', (event) => {
    if (event.target.matches('select')) show(address(event.target.form), true);
  });
  let typed = 0;
  document.addEventListener('input', (event) => {
    if (!event.target.matches('input[type=search]') || event.isComposing) return;
    clearTimeout(typed);
    typed = setTimeout(() => show(address(event.target.form), true, event.target), 250);
  });
  window.addEventListener('popstate', () => show(location.pathname + location.search, false));

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const field = event.target.closest('input, select');
    if (field) {
      if (event.key === 'Escape' && field.matches('#q, #of') && field.value) {
        event.preventDefault();
        field.value = '';
        show(address(field.form), true);
      } else if (event.key === 'Escape') field.blur();
      return;
    }
    const folds = [...document.querySelectorAll('#groups .fold')];
    const at = folds.indexOf(document.activeElement);
    const go = (i) => {
      if (!folds.length) return;
      event.preventDefault();
      folds[Math.max(0, Math.min(folds.length - 1, i))].focus();
    };
    switch (event.key) {
      case '/': event.preventDefault(); document.getElementById('q').focus(); break;
      case 'j': go(at + 1); break;
      case 'k': go(at - 1); break;
      case 'ArrowDown': if (at >= 0) go(at + 1); break;
      case 'ArrowUp': if (at >= 0) go(at - 1); break;
      case ' ': if (event.target.matches('[role=button]')) { event.preventDefault(); event.target.click(); } break;
    }
  });

  // A page that nobody sees costs the server nothing.
  let hidden = 0;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hidden);
    if (document.hidden) {
      hidden = setTimeout(() => { clearTimeout(timer); if (stream) stream.close(); stream = null; }, 15e3);
    } else if (!stream) connect();
  });
  window.addEventListener('online', () => { if (!stream) connect(); });
  setInterval(() => {
    tick(document);
    if (stream && Date.now() - heard > silentAfter) lose();
  }, 1e3);
  tick(document);
  title();
  connect();
})();
