// What is here only saves a click: every page works without it.

// Search while typing.
for (const form of document.querySelectorAll("form[data-live]")) {
	const list = document.getElementById("list");
	let asked = 0, pause;
	const show = async () => {
		const mine = ++asked;
		const query = new URLSearchParams(new FormData(form));
		try {
			const answer = await fetch(form.dataset.live + "?" + query, { credentials: "same-origin" });
			if (!answer.ok || mine !== asked) return;
			const text = await answer.text();
			if (mine !== asked) return;
			list.innerHTML = text;
			history.replaceState(null, "", "/?" + query);
		} catch { /* the button still works */ }
	};
	form.elements.q.addEventListener("input", () => {
		clearTimeout(pause);
		pause = setTimeout(show, 200);
	});
	form.elements.sort.addEventListener("change", show);
}

// Copy what is long to type.
for (const button of document.querySelectorAll("button[data-copy]")) {
	if (!navigator.clipboard) break;
	button.hidden = false;
	const name = button.textContent;
	button.addEventListener("click", async () => {
		await navigator.clipboard.writeText(button.dataset.copy);
		button.textContent = "Copied";
		setTimeout(() => { button.textContent = name; }, 2000);
	});
}

// Say while somebody types that something like it is there already.
for (const place of document.querySelectorAll("[data-look]")) {
	const from = document.getElementById(place.dataset.from);
	let asked = 0, pause;
	const look = async () => {
		const mine = ++asked;
		try {
			const answer = await fetch(place.dataset.look + "?" + new URLSearchParams({ title: from.value }), { credentials: "same-origin" });
			if (!answer.ok) return;
			const page = new DOMParser().parseFromString(await answer.text(), "text/html");
			if (mine === asked) place.replaceChildren(...page.querySelectorAll("#similar > h2, #similar > ul"));
		} catch { /* they are shown when the form is sent */ }
	};
	from.addEventListener("input", () => {
		clearTimeout(pause);
		pause = setTimeout(look, 300);
	});
}
