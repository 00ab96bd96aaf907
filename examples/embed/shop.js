// The shop's own script: asks its back end for a session and shows it.
const note = document.getElementById('note');

async function start() {
  const answer = await fetch('/session', { method: 'POST' });
  if (!answer.ok) {
    note.textContent = 'The check can not be started now. Please try again later.';
    return;
  }
  const { capture_url: url } = await answer.json();
  const capture = Proofline.open({
    url,
    container: '#check',
    title: 'Identity check',
    origins: [document.body.dataset.proofline],
    on: {
      ready: () => { note.textContent = 'Please check in with your document.'; },
      photo: ({ kind }) => { note.textContent = `Arrived: ${kind}`; },
      complete: ({ state }) => {
        note.textContent = `Thank you (${state}). The shop decides by its webhook, not by this.`;
        setTimeout(() => capture.close(), 3000);
      },
      error: ({ code }) => { note.textContent = `Please open the page again (${code}).`; },
    },
  });
}

start();
