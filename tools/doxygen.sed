# Plain comments as Doxygen reads them: the comment that opens a header describes the file, one above a declaration or behind
# it describes that. Shapes such as [B,T] and <- stay as they are written.
1,/^#pragma/ s|^// ?|//! |
1 s|^//! |//! @file\n//! |
s|^( *)// (.*[^ ])$|\1/// \2|
/\/\/ namespace/! s|([;,{}]) +// (.*)$|\1 ///< \2|
/\/\/[\/!]/ s|<-|\&larr;|g
/\/\/[\/!]/ s|<([a-zA-Z_])|\&lt;\1|g
/\/\/[\/!]/ s|#([a-zA-Z])|\\#\1|g
/\/\/[\/!]/ s|%|%%|g
