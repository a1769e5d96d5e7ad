document.querySelector("#app")!.textContent = "远证";
