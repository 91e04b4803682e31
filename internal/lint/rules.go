package lint

import "github.com/imgbuild/imgbuild/internal/diag"

// Whose advice it is.
const (
	fromAPI    = "Image Generation and Edit, best practices of its prompts"
	fromOpenAI = "OpenAI cookbook, image prompting guide"
	fromGoogle = "Google, Gemini image prompting guide and its limitations"
	fromWCAG   = "WCAG 2.2, 1.1.1 and 1.4.5; the alt decision tree of W3C"
	fromUs     = "imgbuild"
)

// Rules are all rules, sorted by code. The numbers follow the research that they
// come from: what is missing between them, validate and plan tell under codes of
// their own (see Elsewhere), or nothing here can know it.
var Rules = []Rule{
	{Code: "IB1001", Severity: diag.Info, Title: "a prompt says little", image: vague, Source: fromAPI,
		Why: "What a prompt leaves open, the model chooses, anew for each candidate. Looked for are prompts of fewer than five words that say something, and none of them of medium, light, viewpoint or mood. Edits are left out.",
		Bad: `prompt = "A woman"`, Good: `prompt = "A woman in a yellow raincoat at a bus stop, overcast morning, 35 mm photograph"`},
	{Code: "IB1002", Severity: diag.Warning, Title: "a prompt asks for quality instead of saying what is wanted", image: vagueImperative, Source: fromAPI,
		Why: "A model can't act on \"make it look good\": it says nothing that could be drawn.",
		Bad: `prompt = "A harbour, make it look good"`, Good: `prompt = "A harbour at dawn, mist between the boats, soft colours"`},
	{Code: "IB1003", Severity: diag.Info, Title: "a prompt names no medium", image: noMedium, Source: fromAPI,
		Why: "Photograph, watercolour or flat vector: without a word for it, candidates differ in just that. An attribute style counts, and so do the words of a preset.",
		Bad: `prompt = "A lighthouse on a cliff"`, Good: `prompt = "Watercolour of a lighthouse on a cliff"`},
	{Code: "IB1004", Severity: diag.Info, Title: "a prompt says nothing of the light", image: noLight, Source: fromAPI,
		Why: "Light decides what a picture feels like. Not looked for in icons, logos and flat drawings.",
		Bad: `prompt = "Photograph of a lighthouse"`, Good: `prompt = "Photograph of a lighthouse in the last light of a storm"`},
	{Code: "IB1005", Severity: diag.Info, Title: "a prompt says nothing of viewpoint or composition", image: noComposition, Source: fromAPI,
		Why: "Close-up or wide angle, from above or at eye level, and where there must be room for a title.",
		Bad: `prompt = "A desk with a laptop"`, Good: `prompt = "A desk with a laptop, top-down, empty on the left"`},
	{Code: "IB1006", Severity: diag.Info, Title: "a prompt says nothing of the mood", image: noMood, Source: fromAPI,
		Why: "Serene or tense, playful or solemn. Not looked for in icons, logos and flat drawings.",
		Bad: `prompt = "A street in the rain, photograph"`, Good: `prompt = "A quiet street in the rain, nostalgic, photograph"`},
	{Code: "IB1007", Severity: diag.Warning, Title: "a prompt is a list of keywords", image: keywordSoup, Source: fromGoogle,
		Why: "Models that follow instructions understand a described scene better than fragments, whose relations they must guess. Looked for are six fragments or more between commas, all short, and without verbs.",
		Bad: `prompt = "girl, forest, fantasy, moonlight, deer, magic, glowing"`, Good: `prompt = "A girl leads a glowing deer through a moonlit forest, fantasy illustration"`},
	{Code: "IB1008", Severity: diag.Warning, Title: "a prompt contradicts itself", image: contradiction, Source: fromUs,
		Why: "A photograph that is a painting, noon at midnight: the model takes one of them, or a muddle. Edits may name both.",
		Bad: `prompt = "Photorealistic watercolour of a fox"`, Good: `prompt = "Watercolour of a fox"`},
	{Code: "IB1009", Severity: diag.Warning, Title: "a prompt contradicts an attribute", image: against, Source: fromUs,
		Why: "The attribute decides the shape, and the words then spoil the composition. Compared are words for orientation, a ratio that is written out, and style = \"vivid\" with words such as muted.",
		Bad: "prompt       = \"A tower, portrait orientation\"\naspect_ratio = \"16:9\"", Good: "prompt       = \"A tower\"\naspect_ratio = \"9:16\""},
	{Code: "IB1010", Severity: diag.Warning, Title: "a prompt asks for words and does not quote them", image: unquotedText, Source: fromOpenAI,
		Why: "What shall be read in the picture is put in quotes, letter by letter; else the model writes what sounds like it.",
		Bad: `prompt = "A shop sign that says fresh bread"`, Good: `prompt = "A shop sign that says \"Fresh bread\""`},
	{Code: "IB1011", Severity: diag.Warning, Title: "a prompt asks for much text in the picture", image: muchText, Source: "prompt-to-asset, what never to ask of a diffusion model",
		Why: "More than 25 letters, or more than three words in a logo, are rarely spelled right, can't be translated and can't be read by those who need it. A social block writes real type on a picture, free.",
		Bad: `prompt = "Poster with the title \"Everything you ever wanted to know about tea\""`, Good: "prompt = \"Poster of tea leaves, empty at the top\"\nsocial {\n  title = \"Everything you ever wanted to know about tea\"\n}"},
	{Code: "IB1013", Severity: diag.Info, Title: "a prompt says what shall not be there", image: negatives, Source: fromGoogle,
		Why: "A model without negative prompts may draw what it reads: say what is there instead. That there shall be no text, logo, watermark or frame is common and understood, and not told.",
		Bad: `prompt = "A street without cars"`, Good: `prompt = "An empty street, a pedestrian zone"`},
	{Code: "IB1015", Severity: diag.Warning, Title: "a prompt asks for transparency of a model without it", image: noAlpha, Source: "prompt-to-asset",
		Why: "A model that can't write transparent pixels paints a checkerboard. Ask for one plain colour, and cut it out.",
		Bad: `prompt = "A red apple, transparent background"`, Good: `prompt = "A red apple on a plain white background"`},
	{Code: "IB1016", Severity: diag.Warning, Title: "a prompt names a person or a mark", image: namedStyle, Source: "rights of others; guardrails of game studios",
		Why: "\"In the style of\" a name may touch the rights of an artist, and a mark those of its owner. There is no list of names in here: told is what looks like a name behind \"in the style of\" or \"by\" an artist, and the names in lint { names = […] }.",
		Bad: `prompt = "A dragon in the style of Jane Doe"`, Good: `prompt = "A dragon, loose ink lines, wide areas of flat red"`},
	{Code: "IB1018", Severity: diag.Warning, Certain: true, Title: "a prompt is near the limit of its model", image: nearLimit, Source: "the model's offer",
		Why: "From 80 % of the bytes that the model takes. One that is longer is an error of validate.",
		Bad: "prompt = file(\"brief.txt\")", Good: "prompt = file(\"summary.txt\")"},
	{Code: "IB1019", Severity: diag.Info, Title: "a prompt asks for many things at once", image: manyDemands, Source: fromOpenAI,
		Why: "From the thirteenth clause on, models drop some. Draw the scene first, and edit the rest into it.",
		Bad: "prompt = \"A market, with fish, and fruit, and a dog, and …\"", Good: "prompt = \"A market hall with a fish stall\"\n\nand an image with edit { } that adds the dog"},
	{Code: "IB1020", Severity: diag.Warning, Certain: true, Fixes: true, Title: "a text has characters that nobody sees", image: invisible, Source: fromUs,
		Why: "Control characters, zero-width and no-break spaces, characters that reorder text, spaces at the end of lines and CR LF change what is paid for and can't be reviewed. Prompts and alt texts are looked at.",
		Bad: "prompt = \"A lake \"", Good: `prompt = "A lake"`},
	{Code: "IB1021", Severity: diag.Warning, Certain: true, Title: "a text still has a placeholder", image: placeholders, Source: fromUs,
		Why: "TODO, FIXME, lorem ipsum, {{name}}, <subject> or [insert …] in a prompt, an alt text or a caption.",
		Bad: `prompt = "A portrait of <subject>"`, Good: `prompt = "A portrait of a beekeeper"`},
	{Code: "IB1023", Severity: diag.Warning, Title: "a prompt asks for several pictures", image: several, Source: fromGoogle,
		Why: "A request makes one picture, and the number in the prompt puts them all into it.",
		Bad: `prompt = "Four images of a fox"`, Good: "prompt = \"A fox\"\nn      = 4"},
	{Code: "IB1024", Severity: diag.Warning, Title: "a prompt may hold personal data", image: personal, Source: "GDPR",
		Why: "A prompt goes to the provider and stands in the lock. Looked for are e-mail addresses and telephone numbers.",
		Bad: `prompt = "A business card of jo@acme.io"`, Good: `prompt = "A business card, blank"`},
	{Code: "IB1025", Severity: diag.Info, Title: "a prompt has words that say nothing", image: fillers, Source: fromUs,
		Why: "\"Masterpiece\", \"8k\" and \"best quality\" come from tags of older models; those that follow instructions do nothing with them.",
		Bad: `prompt = "Masterpiece, best quality, 8k, a fox"`, Good: `prompt = "A fox, fine fur in low winter light"`},
	{Code: "IB2003", Severity: diag.Info, Certain: true, Title: "a parameter is imitated", image: imitated, Source: "the model's offer",
		Why: "The model has no such parameter, and imgbuild says it in words of the prompt. What a model does not take at all is an error of validate.",
		Bad: `style = "vivid"`, Good: `prompt = "…, vivid colours"`},
	{Code: "IB2005", Severity: diag.Warning, Certain: true, Title: "a model is gone, ends soon, or is an alias that moves", image: ending, Source: "the model's offer",
		Why: "Within 60 days of its end, or after it. An alias may mean another model tomorrow, which the lock would not show before the next purchase.",
		Bad: `model = "grok-imagine-image-quality"`, Good: `model = "grok-imagine-image-2.0"`},
	{Code: "IB2104", Severity: diag.Info, Title: "an edit does not say what stays", image: nothingStays, Source: fromOpenAI,
		Why: "Change only X, and keep the list of what stays: else the model draws all of it anew. An edit with a mask is left out.",
		Bad: `prompt = "Make it night"`, Good: `prompt = "Make it night, keep the shoreline unchanged"`},
	{Code: "IB2105", Severity: diag.Warning, Title: "an edit of several pictures does not say which is which", image: whichOne, Source: fromOpenAI,
		Why: "Say \"the first picture\" or \"image 2\", in the order of images.",
		Bad: `prompt = "Put the balloon over the lake"`, Good: `prompt = "Put the balloon of the second picture over the lake of the first"`},
	{Code: "IB3001", Severity: diag.Warning, Certain: true, Title: "nearly the same prompt, and another style", project: nearDuplicates, Source: "consistency of a set",
		Why: "Nine words of ten are the same, and model, style or quality differ: often a copy that was forgotten. Instances of one block are left out.",
		Bad: "image \"a\" {\n  prompt = \"A small red fox …\"\n}\nimage \"b\" {\n  prompt = \"A small red fox …\"\n  style  = \"vivid\"\n}", Good: "one preset for both"},
	{Code: "IB3002", Severity: diag.Info, Certain: true, Title: "an image differs in model or style from the others of its tag", project: drift, Source: "consistency of a set",
		Why: "Of three images or more with a tag, two thirds have one model or style, and this one has another. Edits are left out for the model.",
		Bad: `tags = ["icons"]   # the others have model = "grok-imagine-image"`, Good: "preset = preset.icons"},
	{Code: "IB3003", Severity: diag.Info, Certain: true, Title: "many prompts repeat a phrase", project: repeated, Source: "say it once",
		Why: "Five blocks or more write the same eight words. In a preset they are changed in one place.",
		Bad: `prompt = "A fox, flat vector illustration, three colours, thick lines, no text"`, Good: "preset \"flat\" {\n  after = \"Flat vector illustration, three colours, thick lines, no text.\"\n}"},
	{Code: "IB4001", Severity: diag.Error, Certain: true, Title: "an image has neither alt nor decorative", image: noAlt, Source: fromWCAG,
		Why: "Who does not see the picture reads its alt text. A picture that says nothing is decorative = true.",
		Bad: "image \"hero\" {\n  prompt = \"A lake\"\n}", Good: "image \"hero\" {\n  prompt = \"A lake\"\n  alt    = \"A lake below snowy mountains\"\n}"},
	{Code: "IB4003", Severity: diag.Warning, Certain: true, Title: "an alt text is the prompt", image: altIsPrompt, Source: "WordPress/ai #350; " + fromWCAG,
		Why: "A prompt tells a model how to draw; an alt text tells people what is to be seen. A short prompt without a word for medium, light or viewpoint may be both.",
		Bad: `alt = "A lake, watercolour, soft morning light, wide angle"`, Good: `alt = "A lake below snowy mountains"`},
	{Code: "IB4004", Severity: diag.Warning, Fixes: true, Title: "an alt text says that it is a picture", image: altOfPicture, Source: "siemens/ix-docs #303; " + fromWCAG,
		Why: "Screen readers say that already. Told are \"image of\" and the like at the beginning, the name of a file, and a lone word such as logo.",
		Bad: `alt = "Image of a lake"`, Good: `alt = "A lake"`},
	{Code: "IB4005", Severity: diag.Info, Certain: true, Title: "an alt text is long", image: longAlt, Source: fromWCAG,
		Why: "More than 150 characters are heard in one breath. A caption has room for the rest.",
		Bad: "alt = \"A lake below …\"", Good: "alt     = \"A lake below snowy mountains\"\ncaption = \"…\""},
	{Code: "IB4006", Severity: diag.Warning, Title: "a text in the picture is not in its alt", image: textNotInAlt, Source: fromWCAG,
		Why: "What can be read in the picture must be in its alt text.",
		Bad: "prompt = \"A sign that says \\\"Open\\\"\"\nalt    = \"A shop door\"", Good: "alt    = \"A shop door with a sign: Open\""},
	{Code: "IB5003", Severity: diag.Warning, Certain: true, Title: "a committed file is large", project: heavy, Source: "web performance; clones of repositories",
		Why: "A file in the lock of more than lint { max_bytes }, which is 2,000,000 by itself. Git keeps each version for ever, and a page waits for it.",
		Bad: `path = "hero.png"`, Good: "path = \"hero.jpg\"\nfile {\n  quality = 80\n}"},
	{Code: "IB5004", Severity: diag.Error, Certain: true, Title: "a key stands in the configuration", project: keys, image: keysInPrompts, Source: "secret scanners",
		Why: "Whoever reads the repository has it; a prompt also goes to a provider. Keys of known kinds are an error, other texts that look random a warning. The text is not shown. A key that was committed is lost: revoke it.",
		Bad: "locals {\n  key = \"xai-…\"\n}", Good: "XAI_API_KEY, XAI_API_KEY_FILE or credential_command"},
	{Code: "IB5005", Severity: diag.Warning, Certain: true, Title: "the price of an image is not known", image: unknownPrice, Source: "the model's offer",
		Why: "Neither a plan nor max_cost can count with it. What costs more than its max_cost is an error of plan.",
		Bad: `resolution = "1.5k"`, Good: `resolution = "2k"`},
	{Code: "IB6001", Severity: diag.Warning, Title: "people in a photograph that nobody labels", image: deepFake, Source: "EU AI Act, Art. 50(4)",
		Why: "What may pass for a photograph of people must be told to be made by a model. With label = false no file says so.",
		Bad: "prompt = \"Photograph of a woman in a café\"\nlabel  = false", Good: `prompt = "Photograph of a woman in a café"`},
	{Code: "IB6002", Severity: diag.Info, Certain: true, Title: "an image has no license, and others have", project: noLicense, Source: "shops and stores that ask for it",
		Why: "Once a project names licenses or credits, who publishes it wants them of all its pictures. A preset can say it for all.",
		Bad: `image "b" { }   # where image.a has a license`, Good: "preset \"house\" {\n  license = \"CC-BY-4.0\"\n}"},
}

// Elsewhere are the things that other verbs tell under codes of their own.
var Elsewhere = map[string]string{
	"IB1014": "IB0203", // negative_prompt
	"IB2001": "IB0501", // a size or ratio that the model has not
	"IB2002": "IB0409", // size and aspect_ratio
	"IB2004": "IB0403", // n out of range
	"IB2101": "IB0503", // masks
	"IB2102": "IB0503",
	"IB2103": "IB0503",
	"IB2106": "IB0501", // too many sources
	"IB4002": "IB0411", // alt and decorative
	"IB5001": "IB0405", // two outputs, one path
	"IB5002": "IB0404", // a path that leaves the root
}
