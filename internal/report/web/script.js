'use strict';
(() => {
  const all = (q, at = document) => [...at.querySelectorAll(q)];
  const shown = e => e.getClientRects().length > 0;

  // Every key is that of a button, a link or a field that is shown.
  document.addEventListener('keydown', e => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || document.querySelector('dialog[open]')) return;
    if (e.target.matches('input:not([type=checkbox]):not([type=range]), textarea')) {
      if (e.key === 'Escape') e.target.blur();
      return;
    }
    const b = all('[data-key]').find(b => b.dataset.key === e.key && shown(b));
    if (b) {
      e.preventDefault();
      b.matches('input') ? b.focus() : b.click();
    } else if (e.key === 'j' || e.key === 'k') {
      const cards = all('.card a').filter(shown);
      const at = cards.indexOf(document.activeElement) + (e.key === 'j' ? 1 : -1);
      const next = cards[Math.max(0, Math.min(cards.length - 1, at))];
      if (next) next.focus();
    }
  });

  document.addEventListener('click', e => {
    const b = e.target.closest('button');
    if (!b) return;
    if (b.dataset.do === 'help') document.getElementById('help').showModal();
    if (b.dataset.do === 'preset') {
      document.getElementById('search').value = b.value;
      filter();
    }
    const box = b.closest('.compare');
    if (!box) return;
    if (b.dataset.mode) {
      // Who wants no motion blinks by hand.
      if (b.dataset.mode === 'blink' && box.dataset.mode === 'blink') box.classList.toggle('other');
      box.dataset.mode = b.dataset.mode;
      all('button[data-mode]', box).forEach(o => o.setAttribute('aria-pressed', o === b));
      box.querySelector('.slide').hidden = !['swipe', 'onion'].includes(b.dataset.mode);
    } else if (b.dataset.do === 'ground') {
      b.setAttribute('aria-pressed', box.classList.toggle('ground'));
    } else if (b.dataset.do === 'mask') {
      const m = box.querySelector('.mask');
      m.hidden = !m.hidden;
      b.setAttribute('aria-pressed', !m.hidden);
    }
  });

  document.addEventListener('input', e => {
    const box = e.target.closest('.compare');
    if (box && e.target.type === 'range') {
      box.style.setProperty('--at', e.target.value + '%');
      box.style.setProperty('--part', e.target.value);
    }
    if (e.target.closest('#filters')) filter();
  });

  document.addEventListener('submit', e => {
    if (e.target.id === 'filters') e.preventDefault();
  });
  function filter() {
    const filters = document.getElementById('filters');
    if (!filters) return;
    const words = document.getElementById('search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const states = new Set(all('input[name=state]:checked', filters).map(b => b.value));
    let n = 0;
    for (const group of all('.group')) {
      let here = 0;
      for (const card of all('.card', group)) {
        card.hidden = !words.every(w => card.dataset.words.includes(w));
        if (!card.hidden) here++;
      }
      group.hidden = !states.has(group.dataset.state) || here === 0;
      if (!group.hidden) n += here;
    }
    document.getElementById('told').textContent = n + (n === 1 ? ' image' : ' images');
  }

  // What is served follows the project: a run of apply, an edit of a file.
  const served = document.body.dataset;
  if ('state' in served) setInterval(follow, 1000);
  async function follow() {
    if (document.hidden) return;
    const state = await fetch('/state').then(r => r.ok ? r.text() : served.state, () => served.state);
    const typing = all('input').some(i => i.name === 'note' && i.value);
    if (state === served.state || typing || document.querySelector('dialog[open]')) return;
    const page = new DOMParser().parseFromString(await fetch(location.href).then(r => r.text()), 'text/html');
    const what = 'main', now = document.querySelector(what), next = page.querySelector(what);
    if (!now || !next) return location.reload();
    const unchecked = all('input[name=state]:not(:checked)').map(i => i.value);
    const search = document.getElementById('search'), words = search && search.value;
    const at = document.activeElement && document.activeElement.getAttribute('href');
    const mode = document.querySelector('.compare') && document.querySelector('.compare').dataset.mode;
    now.replaceWith(next);
    served.state = page.body.dataset.state;
    for (const i of all('input[name=state]')) i.checked = !unchecked.includes(i.value);
    if (words) document.getElementById('search').value = words;
    filter();
    if (mode && mode !== 'side') all('button[data-mode=' + mode + ']').forEach(b => b.click());
    if (at) all('a').filter(a => a.getAttribute('href') === at).slice(0, 1).forEach(a => a.focus());
  }
})();
